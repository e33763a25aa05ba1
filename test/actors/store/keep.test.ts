import { beforeEach, describe, expect, test } from 'vitest'
import { surveyChain } from '../../../src/actors/redshift/log.ts'
import { openChain } from '../../../src/actors/store/chain.ts'
import { commitEntry, publishEntry, writeHead } from '../../../src/actors/store/commit.ts'
import { type Entry, instantOf } from '../../../src/actors/store/entry.ts'
import { keepChain } from '../../../src/actors/store/keep.ts'
import { keepSink } from '../../../src/actors/store/keeper.ts'
import { entryPath, headPath, segmentPath } from '../../../src/actors/store/names.ts'
import { listSegments, readSegment } from '../../../src/actors/store/segments.ts'
import { sweepLeftovers } from '../../../src/actors/store/sweep.ts'
import { chainOf, preparedEntry } from '../../support/chain-fixtures.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const { signal } = new AbortController()
const DAY_MS = 86_400_000
const chain = chainOf()
const segmentEntries = 3
let nowMs: number
let store: MemoryStore
beforeEach(() => {
  store = new MemoryStore()
  nowMs = 0
})
const open = () =>
  openChain(
    store,
    { chain, clusterId: '', start: async () => ({ offset: 0, reason: 'earliest' }), now: () => nowMs },
    signal
  )
const keep = () => keepChain(store, chain, { now: () => nowMs, segmentEntries }, signal)
const loose = () =>
  [...store.files.visible.keys()].filter((path) => /\d{20}\.json$/.test(path) && !path.includes('segment'))
const data = () => [...store.files.visible.keys()].filter((path) => path.startsWith('data/')).length

async function append(from: number, nonce = `n${from}`): Promise<Entry> {
  const entry = { ...(await prepared(from, nonce)), committedAt: instantOf(nowMs) }
  expect(await commitEntry(store, chain, entry, signal)).toBe('won')
  await publishEntry(store, entry, signal)
  await writeHead(store, chain, entry, nowMs, signal)
  return entry
}
const prepared = (from: number, nonce: string) =>
  preparedEntry(store, chain, { from, to: from + 10, nonce }, signal)

/** Entries from 0 to 80, the first six of them sealed and cleared. */
async function cleared(): Promise<Entry> {
  await open()
  let last: Entry | undefined
  for (let from = 0; from < 80; from += 10) last = await append(from)
  expect(await keep()).toEqual({ sealed: 2, cleared: 0, voided: 0 })
  nowMs = 8 * DAY_MS
  expect(await keep()).toEqual({ sealed: 0, cleared: 6, voided: 0 })
  return last as Entry
}

describe('segments', () => {
  test('entries are sealed when they are published, which their successors say', async () => {
    await open()
    for (let from = 0; from < 30; from += 10) await append(from)
    expect(await keep()).toEqual({ sealed: 0, cleared: 0, voided: 0 })
    await append(30)
    expect(await keep()).toEqual({ sealed: 1, cleared: 0, voided: 0 })
    expect(await keep(), 'once').toEqual({ sealed: 0, cleared: 0, voided: 0 })
    const segment = await readSegment(store, chain, { from: 0, to: 30 }, signal)
    expect(segment.entries.map(({ nonce }) => nonce)).toEqual(['n0', 'n10', 'n20'])
    expect(loose()).toHaveLength(4)
  })

  test('loose entries go a week after they were sealed into a segment, oldest first', async () => {
    await open()
    for (let from = 0; from < 40; from += 10) await append(from)
    await keep()
    nowMs = 7 * DAY_MS - 1
    expect((await keep()).cleared).toBe(0)
    nowMs++
    store.faults.add({ subject: /^remove/, action: { type: 'fail-before' }, after: 2 })
    await expect(keep()).rejects.toMatchObject({ retryable: true })
    expect(loose()).toEqual([entryPath(chain, 20), entryPath(chain, 30)])
    expect(await keep()).toEqual({ sealed: 0, cleared: 1, voided: 0 })
  })

  test('the end is found from the head, and without one from the last segment', async () => {
    const last = await cleared()
    expect(loose()).toHaveLength(2)
    expect(await open()).toMatchObject({ end: 80, last, published: true })
    store.files.visible.delete(headPath(chain))
    expect(await open()).toMatchObject({ end: 80, last, published: false })
    // A head that is behind names an entry that has gone.
    await writeHead(store, chain, { ...last, from: 20, to: 30, nonce: 'n20' }, 0, signal)
    expect(await open()).toMatchObject({ end: 80, last })
    for (const from of [60, 70]) store.files.visible.delete(entryPath(chain, from))
    expect(await open()).toMatchObject({ end: 60, last: { nonce: 'n50' } })
  })

  test('are made of no run with a hole', async () => {
    await open()
    for (let from = 0; from < 80; from += 10) await append(from)
    const hole = entryPath(chain, 10)
    const content = store.files.visible.get(hole)
    store.files.visible.delete(hole)
    expect((await keep()).sealed).toBe(0)
    if (content) store.files.visible.set(hole, content)
    expect((await keep()).sealed).toBe(2)
    for (let from = 80; from < 120; from += 10) await append(from)
    store.files.visible.delete(entryPath(chain, 60))
    expect((await keep()).sealed).toBe(0)
  })

  test('are read by who is behind, entry by entry, on to the loose ones', async () => {
    await cleared()
    const seen: number[] = []
    for (let position = 0; position < 80; ) {
      const { entries } = await surveyChain(store, { id: chain, position, limit: 2 }, signal)
      seen.push(...entries.map(({ from }) => from))
      position = entries.at(-1)?.to ?? Number.POSITIVE_INFINITY
    }
    expect(seen).toEqual([0, 10, 20, 30, 40, 50, 60, 70])
  })

  test('by two keepers at once are the same', async () => {
    await open()
    for (let from = 0; from < 80; from += 10) await append(from)
    await Promise.all([keep(), keep()])
    expect(await listSegments(store, chain, signal)).toEqual([
      { from: 0, to: 30 },
      { from: 30, to: 60 }
    ])
    nowMs = 8 * DAY_MS
    await Promise.all([keep(), keep()])
    expect(loose()).toHaveLength(2)
  })
})

describe('a writer that was frozen until its place was cleared', () => {
  test('has won nothing, publishes nothing, and takes its entry back', async () => {
    const previous = { ...(await prepared(20, 'n20')), committedAt: instantOf(0) }
    await cleared()
    const late = await prepared(30, 'late')
    const files = data()
    expect(await commitEntry(store, chain, late, signal, previous)).toBe('lost')
    expect(loose()).not.toContain(entryPath(chain, 30))
    expect(data()).toBe(files)
    const first = await prepared(0, 'first')
    expect(await commitEntry(store, chain, first, signal), 'also as the first of its chain').toBe('lost')
  })

  test('and died: who finds its entry deletes it, and what it prepared', async () => {
    const last = await cleared()
    const late = await prepared(30, 'late')
    await store.create(entryPath(chain, 30), Buffer.from(JSON.stringify(late)), signal)
    store.files.visible.delete(headPath(chain))
    expect(await open(), 'nobody walks over it').toMatchObject({ end: 80, last })
    expect(store.files.prepared.size).toBe(1)
    expect(await keep()).toMatchObject({ voided: 1 })
    expect(store.files.prepared.size).toBe(0)
    expect(loose()).toHaveLength(2)
  })

  test('a commit in time costs one look at the entry before it', async () => {
    await open()
    const previous = await append(0)
    store.calls.length = 0
    const next = await prepared(10, 'n10')
    expect(await commitEntry(store, chain, next, signal, previous)).toBe('won')
    expect(store.calls.filter((call) => call.startsWith('list'))).toEqual([])
  })
})

describe('leftovers', () => {
  const sweep = () => keepSink(store, { sink: chain.sink, now: () => nowMs }, signal)
  const left = () =>
    [...store.files.prepared.values()].map(({ entryId }) => entryId.replace(/.*-/, '')).sort()

  test('below the published end go after a day, and nothing else', async () => {
    await open()
    await append(0)
    await prepared(0, 'loser')
    await append(10)
    await prepared(20, 'atend')
    await prepared(30, 'beyond')
    nowMs = DAY_MS - 1
    await sweep()
    expect(left()).toEqual(['atend', 'beyond', 'loser'])
    nowMs++
    store.files.nowMs = nowMs
    await prepared(0, 'fresh')
    await sweep()
    expect(left()).toEqual(['atend', 'beyond', 'fresh'])
  })

  test('of an unpublished entry stay, whatever their age', async () => {
    await open()
    const entry = await prepared(0, 'unpublished')
    await prepared(0, 'loser')
    await commitEntry(store, chain, entry, signal)
    nowMs = 30 * DAY_MS
    await sweepLeftovers(store, { sink: chain.sink, now: () => nowMs }, signal)
    expect(left()).toEqual(['loser', 'unpublished'])
    await publishEntry(store, entry, signal)
    await writeHead(store, chain, entry, 0, signal)
    await sweep()
    expect(left()).toEqual([])
  })

  test('of another sink stay', async () => {
    await open()
    await append(0)
    const other = { ...chain, sink: 'test.other' }
    await preparedEntry(store, other, { from: 0, to: 10, nonce: 'theirs' }, signal)
    nowMs = 30 * DAY_MS
    await sweep()
    expect(left()).toEqual(['theirs'])
  })
})

describe('a last entry that nobody publishes', () => {
  const keepAll = (ttlMs?: number) => keepSink(store, { sink: chain.sink, now: () => nowMs, ttlMs }, signal)

  test('because its topic was created anew is published after a day, and not before', async () => {
    await open()
    await commitEntry(store, chain, await prepared(0, 'forsaken'), signal)
    nowMs = DAY_MS - 1
    await keepAll()
    expect(data()).toBe(0)
    nowMs++
    await keepAll()
    expect(data()).toBe(1)
    expect(await open()).toMatchObject({ end: 10, published: true })
  })

  test('and that is gone keeps nobody else from being looked after', async () => {
    await open()
    await commitEntry(store, chain, await prepared(0, 'forsaken'), signal)
    store.files.prepared.clear()
    const later = { ...chain, partition: 9 }
    const start = async () => ({ offset: 0, reason: 'earliest' })
    await openChain(store, { chain: later, clusterId: '', start, now: () => 0 }, signal)
    const entry = await preparedEntry(store, later, { from: 0, to: 10, nonce: 'kept' }, signal)
    await commitEntry(store, later, entry, signal)
    nowMs = DAY_MS
    await expect(keepAll()).rejects.toMatchObject({ code: 'prepared-gone' })
    expect(store.files.visible.has(entry.files[0]?.path ?? '')).toBe(true)
  })

  test('is not published after its time', async () => {
    await open()
    await commitEntry(store, chain, await prepared(0, 'forsaken'), signal)
    nowMs = 2 * DAY_MS
    await keepAll(2 * DAY_MS)
    expect(data()).toBe(0)
    expect(await open()).toMatchObject({ end: 10, published: true })
  })
})

test('a segment with a gap is corrupt', async () => {
  await open()
  for (let from = 0; from < 40; from += 10) await append(from)
  await keep()
  const path = segmentPath(chain, 0, 30)
  const segment = JSON.parse(String(store.files.visible.get(path)?.content))
  segment.entries.splice(1, 1)
  store.files.visible.set(path, { content: Buffer.from(JSON.stringify(segment)), entryId: undefined })
  await expect(readSegment(store, chain, { from: 0, to: 30 }, signal)).rejects.toMatchObject({
    code: 'log-corrupt'
  })
})
