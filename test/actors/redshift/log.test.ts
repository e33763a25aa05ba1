import { expect, test } from 'vitest'
import { surveyChain } from '../../../src/actors/redshift/log.ts'
import { publishEntry, writeHead } from '../../../src/actors/store/commit.ts'
import { type Entry, serialize } from '../../../src/actors/store/entry.ts'
import { type ChainId, entryPath } from '../../../src/actors/store/names.ts'
import { chainOf, preparedEntry } from '../../support/chain-fixtures.ts'
import { writeClosed, writeGenesis } from '../../support/log-records.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const { signal } = new AbortController()

/** Commits `[from, to)`, and publishes it as far as asked. */
async function commit(
  store: MemoryStore,
  chain: ChainId,
  from: number,
  state: 'prepared' | 'published' | 'headed'
): Promise<Entry> {
  const entry = await preparedEntry(store, chain, { from, to: from + 10, nonce: `a${from}` }, signal)
  await store.create(entryPath(chain, from), serialize(entry), signal)
  if (state !== 'prepared') await publishEntry(store, entry, signal)
  if (state === 'headed') await writeHead(store, chain, entry, 0, signal)
  return entry
}

const survey = (store: MemoryStore, position: number, limit = 3) =>
  surveyChain(store, { id: chainOf(), position, limit }, signal)

const ranges = (found: Awaited<ReturnType<typeof survey>>) => found.entries.map(({ from, to }) => [from, to])

test('an entry with a successor is loadable; the last one when the store shows its files', async () => {
  const store = new MemoryStore()
  await writeGenesis(store, chainOf(), 0)
  expect(await survey(store, 0)).toEqual({ entries: [], end: 0, next: { type: 'end' } })
  await commit(store, chainOf(), 0, 'headed')
  const last = await commit(store, chainOf(), 10, 'prepared')
  const waiting = await survey(store, 0)
  expect(ranges(waiting)).toEqual([[0, 10]])
  expect(waiting).toMatchObject({ end: 20, next: { type: 'unpublished', path: last.files[0]?.path } })
  await publishEntry(store, last, signal)
  store.calls.length = 0
  const whole = await survey(store, 0)
  expect(ranges(whole)).toEqual([
    [0, 10],
    [10, 20]
  ])
  expect(whole).toMatchObject({ end: 20, next: { type: 'end' } })
  expect(store.calls.filter((call) => call.startsWith('stat'))).toHaveLength(1)
  expect(whole.entries[1]?.files).toEqual([
    { path: last.files[0]?.path, bytes: last.files[0]?.bytes, records: 10, sha256: last.files[0]?.sha256 }
  ])
})

test('a batch is bounded, and says that there is more', async () => {
  const store = new MemoryStore()
  await writeGenesis(store, chainOf(), 0)
  for (let from = 0; from < 50; from += 10) await commit(store, chainOf(), from, 'headed')
  const first = await survey(store, 0)
  expect(ranges(first)).toEqual([
    [0, 10],
    [10, 20],
    [20, 30]
  ])
  expect(first).toMatchObject({ end: 40, next: { type: 'more' } })
  expect(await survey(store, 30)).toMatchObject({ end: 50, next: { type: 'end' } })
})

test('dead letters are confirmed but not loaded, and an entry without files is an entry', async () => {
  const store = new MemoryStore()
  await writeGenesis(store, chainOf(), 0)
  const entry = await preparedEntry(store, chainOf(), { from: 0, to: 10, nonce: 'd' }, signal)
  const dead: Entry = {
    ...entry,
    counts: { read: 10, kept: 0, filtered: 0, dead: 10 },
    files: entry.files.map((file) => ({ ...file, kind: 'dead' as const }))
  }
  await store.create(entryPath(chainOf(), 0), serialize(dead), signal)
  expect(await survey(store, 0)).toMatchObject({ entries: [], next: { type: 'unpublished' } })
  await publishEntry(store, dead, signal)
  expect(await survey(store, 0)).toMatchObject({
    entries: [{ from: 0, to: 10, files: [] }],
    next: { type: 'end' }
  })
  const empty: Entry = {
    ...entry,
    from: 10,
    to: 90,
    files: [],
    reason: 'filtered',
    counts: { read: 0, kept: 0, filtered: 0, dead: 0 }
  }
  await store.create(entryPath(chainOf(), 10), serialize(empty), signal)
  expect(ranges(await survey(store, 0))).toEqual([
    [0, 10],
    [10, 90]
  ])
})

test('the end of a generation is told after its last entry is loaded', async () => {
  const store = new MemoryStore()
  await writeGenesis(store, chainOf(), 0)
  const last = await commit(store, chainOf(), 0, 'prepared')
  await writeClosed(store, chainOf(), 10, 2)
  expect(await survey(store, 0)).toMatchObject({ entries: [], next: { type: 'unpublished' } })
  await publishEntry(store, last, signal)
  expect(await survey(store, 0)).toMatchObject({
    entries: [{ from: 0 }],
    next: { type: 'closed', generation: 2 }
  })
  expect(await survey(store, 10)).toEqual({ entries: [], end: 10, next: { type: 'closed', generation: 2 } })
})

test('offsets that the log no longer has are a loss with an exact range', async () => {
  const store = new MemoryStore()
  await writeGenesis(store, chainOf(), 0)
  for (let from = 0; from < 40; from += 10) await commit(store, chainOf(), from, 'headed')
  for (const from of [0, 10]) await store.remove(entryPath(chainOf(), from), signal)
  expect(await survey(store, 0)).toEqual({ entries: [], end: 40, next: { type: 'lost', from: 0, to: 20 } })
  for (const from of [20, 30]) await store.remove(entryPath(chainOf(), from), signal)
  expect(await survey(store, 20)).toEqual({ entries: [], end: 40, next: { type: 'lost', from: 20, to: 40 } })
})

test('an entry committed between two reads is no loss', async () => {
  const store = new MemoryStore()
  await writeGenesis(store, chainOf(), 0)
  const read = store.read.bind(store)
  store.read = async (path, abort) => {
    const content = await read(path, abort)
    if (path === entryPath(chainOf(), 0) && content === undefined) await commit(store, chainOf(), 0, 'headed')
    return content
  }
  expect(await survey(store, 0)).toEqual({ entries: [], end: 10, next: { type: 'more' } })
})

test('another file at the path does not confirm an entry', async () => {
  const store = new MemoryStore()
  await writeGenesis(store, chainOf(), 0)
  const { files } = await commit(store, chainOf(), 0, 'prepared')
  const [file] = files
  const other = Buffer.alloc(file?.bytes ?? 0)
  const parts = {
    path: file?.path ?? '',
    parts: [other],
    bytes: other.length,
    entryId: 'other'
  }
  const preparation = await store.prepare(parts, signal)
  await store.publish({ ...parts, preparation }, signal)
  expect(await survey(store, 0)).toMatchObject({ entries: [], next: { type: 'unpublished' } })
})
