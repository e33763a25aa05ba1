import { beforeEach, expect, test } from 'vitest'
import { openChain } from '../../../src/actors/store/chain.ts'
import type { Chunk, ChunkFile } from '../../../src/actors/store/chunk.ts'
import { parseEntry, serialize } from '../../../src/actors/store/entry.ts'
import { discardEntry, prepareChunk } from '../../../src/actors/store/prepare.ts'
import { chainOf } from '../../support/chain-fixtures.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const { signal } = new AbortController()
const fingerprints = { schema: 's', config: 'c', encoder: 'e' }
let store: MemoryStore
beforeEach(() => {
  store = new MemoryStore()
})

const file = (kind: ChunkFile['kind'], directory: string): ChunkFile => ({
  ...{ kind, directory, parts: [Buffer.from('ab'), Buffer.from('c')], bytes: 3, records: 2 },
  ...{ minEventTimeMs: 0, maxEventTimeMs: undefined, sha256: 'a'.repeat(64) }
})
const chunkOf = (files: readonly ChunkFile[], kept: number, dead: number): Chunk => ({
  ...{ id: 1, from: 10, to: 20, leaderEpoch: 3, files },
  counts: { read: kept + dead, kept, filtered: 0, dead }
})

async function prepare(chunk: Chunk, within = signal) {
  const start = async () => ({ offset: 10, reason: 'earliest' })
  const opened = await openChain(store, { chain: chainOf(), clusterId: '', start, now: () => 0 }, signal)
  return prepareChunk(store, { opened, chunk, nonce: 'ab12', fingerprints, now: () => 0 }, within)
}

test('an entry names its files where they will be, and reads back as it is', async () => {
  const entry = await prepare(chunkOf([file('data', 'hybrid/dt=1'), file('dead', '')], 2, 2))
  expect(entry.files.map(({ path }) => path)).toEqual([
    'data/test.raw/hybrid/dt=1/hybrid+0+10+20+ab12.parquet',
    'dead/test.raw/hybrid/hybrid+0+10+20+ab12.ndjson'
  ])
  expect(entry).toMatchObject({
    from: 10,
    to: 20,
    reason: null,
    leaderEpoch: 3,
    nonce: 'ab12',
    ...fingerprints
  })
  expect(entry.files[0]).toMatchObject({ minEventTime: '1970-01-01T00:00:00.000Z', maxEventTime: null })
  expect(parseEntry(serialize(entry), 'p')).toEqual(entry)
  expect(store.files.prepared.size).toBe(2)
  await discardEntry(store, entry, signal)
  expect(store.files.prepared.size).toBe(0)
})

test('a range without records is an entry with a reason', async () => {
  const entry = await prepare(chunkOf([], 0, 0))
  expect(entry).toMatchObject({ files: [], reason: 'no-records' })
  expect(parseEntry(serialize(entry), 'p')).toEqual(entry)
})

test('a failure or an abort in the middle leaves nothing behind', async () => {
  const files = ['a', 'b', 'c', 'd', 'e', 'f'].map((directory) => file('data', directory))
  store.faults.add({ subject: /^prepare .*\/e\//, action: { type: 'fail-before' } })
  await expect(prepare(chunkOf(files, 12, 0))).rejects.toMatchObject({ code: 'store-unavailable' })
  expect(store.files.prepared.size).toBe(0)

  const abort = new AbortController()
  store.faults.add({ subject: /^prepare .*\/f\//, action: { type: 'hang' } })
  const aborted = prepare(chunkOf(files, 12, 0), abort.signal)
  while (store.files.prepared.size < 5) await new Promise((resolve) => setImmediate(resolve))
  abort.abort()
  await expect(aborted).rejects.toMatchObject({ code: 'aborted' })
  expect(store.files.prepared.size).toBe(0)
})
