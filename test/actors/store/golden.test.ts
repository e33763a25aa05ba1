import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openChain, recordedTopicId } from '../../../src/actors/store/chain.ts'
import { commitEntry, publishEntry, writeHead } from '../../../src/actors/store/commit.ts'
import {
  parseEntry,
  parseGenesis,
  parseHead,
  parseRepair,
  parseSegment,
  parseTopicId,
  serialize
} from '../../../src/actors/store/entry.ts'
import { keepChain } from '../../../src/actors/store/keep.ts'
import { chainPrefix, parseLogPath } from '../../../src/actors/store/names.ts'
import { prepareChunk } from '../../../src/actors/store/prepare.ts'
import { repairEntry } from '../../../src/actors/store/repair.ts'
import { rewindChain } from '../../../src/actors/store/rewind.ts'
import { MemoryStore } from '../../support/memory-store.ts'

/**
 * The log's records byte by byte: whoever reads a log of this version must read these, for ever. A change of a file here is
 * a change of the format (docs/formats.md): it needs another `version`, or a field that old readers pass over.
 */
const golden = join(import.meta.dirname, '../../golden/commit-log')
const { signal } = new AbortController()
const chain = {
  sink: 'hybrid.raw',
  topic: 'a..b é',
  topicId: '00000000-0000-4000-8000-000000000001',
  partition: 7
}
const now = () => Date.UTC(2026, 0, 2, 3, 4, 5, 678)
const fingerprints = { schema: 'aaaa', config: 'bbbb', encoder: 'cccc' }

const parsers = {
  genesis: parseGenesis,
  entry: parseEntry,
  closed: parseEntry,
  head: parseHead,
  repair: parseRepair,
  segment: parseSegment,
  'topic-id': parseTopicId
} as const
type Kind = keyof typeof parsers

test('every record is written as it always was', async () => {
  const store = new MemoryStore()
  const open = () => openChain(store, { chain, clusterId: 'cluster', start, now }, signal)
  const { chain: id } = await open()
  const [from, to, times] = [10, 20, { minEventTimeMs: 0, maxEventTimeMs: now() }]
  const file = {
    directory: 'dt=2026-01-02',
    parts: [Buffer.from('abc')],
    bytes: 3,
    sha256: 'ab'.repeat(32),
    ...times
  }
  const chunk = {
    ...{ id: 1, from, to, leaderEpoch: 3, counts: { read: 8, kept: 5, filtered: 2, dead: 1 } },
    files: [
      { ...file, kind: 'data' as const, records: 5 },
      { ...file, kind: 'dead' as const, records: 1, minEventTimeMs: undefined, maxEventTimeMs: undefined }
    ]
  }
  const opened = await open()
  const entry = await prepareChunk(store, { opened, chunk, nonce: 'aa', fingerprints, now }, signal)
  await commitEntry(store, id, entry, signal)
  store.files.prepared.delete('upload-1')
  const replay = async () => chunk
  const options = { chain: id, entry, fingerprints, nonce: 'bb', replay, now }
  const repaired = await repairEntry(store, options, signal)
  await publishEntry(store, repaired, signal)
  await writeHead(store, id, entry, now(), signal)
  const empty = { ...chunk, from: 20, to: 30, counts: { read: 0, kept: 0, filtered: 0, dead: 0 }, files: [] }
  const last = await prepareChunk(store, { opened, chunk: empty, nonce: 'dd', fingerprints, now }, signal)
  await commitEntry(store, id, last, signal, repaired)
  await keepChain(store, id, { now, segmentEntries: 1 }, signal)
  await rewindChain(store, { chain, clusterId: 'cluster', to: 5, nonce: 'ee', abandon: false, now }, signal)
  await recordedTopicId(store, { sink: chain.sink, topic: 'old', candidate: 'ff' }, signal)

  const names: string[] = []
  for (const [path, { content }] of store.files.visible) {
    if (!path.startsWith('log/')) continue
    const name = path.replace(/^log\/v1\/hybrid.raw\//, '').replaceAll('/', '+')
    names.push(name)
    await expect(content.toString()).toMatchFileSnapshot(join(golden, name))
  }
  expect(names.sort()).toEqual(
    readdirSync(golden)
      .filter((name) => name.includes('+'))
      .sort()
  )
  expect(names.filter((name) => name.includes(`-g1+7+`))).toHaveLength(7)
  expect(parseLogPath(`${chainPrefix(id)}head.json`)?.chain).toEqual(id)
})

const start = async () => ({ offset: 10, reason: 'earliest' })

test('every record that was ever written is read, and comes out again as the same bytes', () => {
  const kinds = new Set<string>()
  for (const name of readdirSync(golden)) {
    const content = readFileSync(join(golden, name))
    const kind = String(JSON.parse(content.toString()).type) as Kind
    kinds.add(kind)
    const record = parsers[kind](content, name)
    expect(record && serialize(record).toString(), name).toBe(content.toString())
    const future = Buffer.from(JSON.stringify({ ...JSON.parse(content.toString()), another: 1 }))
    expect(parsers[kind](future, name), 'unknown fields are passed over').toEqual(record)
    const other = Buffer.from(content.toString().replace('"version":1', '"version":2'))
    if (kind === 'head') expect(parseHead(other)).toBeUndefined()
    else expect(() => parsers[kind](other, name)).toThrow('version')
  }
  expect([...kinds].sort()).toEqual(['closed', 'entry', 'genesis', 'head', 'repair', 'segment', 'topic-id'])
})
