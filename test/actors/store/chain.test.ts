import { beforeEach, expect, test } from 'vitest'
import { openChain, recordedTopicId } from '../../../src/actors/store/chain.ts'
import { commitEntry, publishEntry, writeHead } from '../../../src/actors/store/commit.ts'
import { type ClosedEntry, type Entry, instantOf, serialize } from '../../../src/actors/store/entry.ts'
import { type ChainId, chainName, entryPath, genesisPath, headPath } from '../../../src/actors/store/names.ts'
import { readEntry, walkEntries } from '../../../src/actors/store/records.ts'
import type { Store } from '../../../src/actors/store/store.ts'
import { Fault } from '../../../src/errors.ts'
import { chainOf, preparedEntry } from '../../support/chain-fixtures.ts'
import { MemoryFiles, MemoryStore } from '../../support/memory-store.ts'
import { seededRandom } from '../../support/random.ts'

const { signal } = new AbortController()
const chain = chainOf()
const open = (store: Store, start = 0, reason = 'earliest') =>
  openChain(
    store,
    { chain, clusterId: 'cluster', start: async () => ({ offset: start, reason }), now: () => 0 },
    signal
  )
let store: MemoryStore
beforeEach(() => {
  store = new MemoryStore()
})

async function append(
  from: number,
  to: number,
  how: { publish?: boolean; head?: boolean } = {}
): Promise<Entry> {
  const entry = await preparedEntry(store, chain, { from, to, nonce: `n${from}` }, signal)
  expect(await commitEntry(store, chain, entry, signal)).toBe('won')
  if (how.publish !== false) await publishEntry(store, entry, signal)
  if (how.head !== false) await writeHead(store, chain, entry, 0, signal)
  return entry
}

test('the first to open writes the genesis, and whoever comes later starts there', async () => {
  const [first, second] = await Promise.all([open(store, 5), open(store, 7, 'latest')])
  expect(first.genesis).toEqual(second.genesis)
  const third = await openChain(
    store,
    {
      chain,
      clusterId: '',
      now: () => 1,
      start: () => Promise.reject(new Error('must not be asked'))
    },
    signal
  )
  expect(third).toMatchObject({ end: first.end, last: undefined, published: true })
  expect(first.chain.generation).toBe(1)
})

test('a lost reply to the genesis is no second genesis', async () => {
  store.faults.add({ subject: /^create .*genesis/, action: { type: 'lose-reply' } })
  expect((await open(store, 5)).end).toBe(5)
  store.faults.add({ subject: /^create/, action: { type: 'fail-before' } })
  store.files.visible.clear()
  await expect(open(store, 5)).rejects.toMatchObject({ code: 'create-unknown', retryable: true })
})

test('a chain of another cluster is refused', async () => {
  await open(store)
  const other = { chain, clusterId: 'other', start: async () => ({ offset: 0, reason: 'x' }), now: () => 0 }
  await expect(openChain(store, other, signal)).rejects.toMatchObject({ code: 'chain-of-another-cluster' })
})

test('the end is found from the head, from an old head, and by listing without one', async () => {
  await open(store)
  await append(0, 10)
  const before = store.files.visible.get(headPath(chain))
  const last = await append(10, 25)
  const newest = store.files.visible.get(headPath(chain))
  expect(await open(store)).toMatchObject({ end: 25, last, published: true })
  expect(store.calls.some((call) => call.startsWith('list'))).toBe(true) // the first opening found no head

  store.calls.length = 0
  if (before) store.files.visible.set(headPath(chain), before)
  expect(await open(store)).toMatchObject({ end: 25, last, published: false })
  expect(store.calls.filter((call) => call.startsWith('list'))).toEqual([])

  // One that names the last entry as somebody else's does not say that this one is published.
  const foreign = (head: typeof before) =>
    JSON.stringify({ ...JSON.parse(String(head?.content)), nonce: 'another' })
  for (const hint of ['{', foreign(before), foreign(newest)]) {
    store.files.visible.set(headPath(chain), { content: Buffer.from(hint), entryId: undefined })
    expect(await open(store)).toMatchObject({ end: 25, last, published: false })
  }
  store.files.visible.delete(headPath(chain))
  expect(await open(store)).toMatchObject({ end: 25, last, published: false })
})

test('an entry that is committed but not published is told', async () => {
  await open(store)
  await append(0, 10)
  const last = await append(10, 20, { publish: false, head: false })
  expect(await open(store)).toMatchObject({ end: 20, last, published: false })
})

test('reading goes on in order and ends where the log ends', async () => {
  await append(0, 10)
  await append(10, 20)
  const seen: number[] = []
  for await (const entry of walkEntries(store, chain, 0, signal)) seen.push(entry.from)
  expect(seen).toEqual([0, 10])
})

test('a commit whose reply is lost is won, and its late duplicate too', async () => {
  store.faults.add({ subject: /^create/, action: { type: 'lose-reply' } })
  const entry = await preparedEntry(store, chain, { from: 0, to: 3, nonce: 'mine' }, signal)
  expect(await commitEntry(store, chain, entry, signal)).toBe('won')
  expect(await commitEntry(store, chain, entry, signal)).toBe('won')
})

test('a commit that never arrived is tried again with the same bytes', async () => {
  store.faults.add({ subject: /^create/, action: { type: 'fail-before' }, times: 2 })
  const entry = await preparedEntry(store, chain, { from: 0, to: 3, nonce: 'mine' }, signal)
  expect(await commitEntry(store, chain, entry, signal)).toBe('won')
  expect(store.files.visible.get(entryPath(chain, 0))?.content).toEqual(serialize(entry))
})

test('a commit that stays doubtful is neither won nor lost', async () => {
  store.faults.add({ subject: /^create/, action: { type: 'fail-before' }, times: Number.POSITIVE_INFINITY })
  const entry = await preparedEntry(store, chain, { from: 0, to: 3, nonce: 'mine' }, signal)
  await expect(commitEntry(store, chain, entry, signal)).rejects.toMatchObject({
    code: 'commit-unknown',
    retryable: true,
    cause: { code: 'store-unavailable' }
  })
  store.faults.clear()
  store.faults.add({ subject: /^create/, action: { type: 'lose-reply' } })
  store.faults.add({ subject: /^read/, action: { type: 'fail-before' } })
  await expect(commitEntry(store, chain, entry, signal)).rejects.toMatchObject({ retryable: true })
  expect(await readEntry(store, chain, 0, signal)).toEqual(entry)
})

test('an entry of another writer, or the end of the generation, is a loss', async () => {
  await append(0, 10)
  const late = await preparedEntry(store, chain, { from: 0, to: 12, nonce: 'late' }, signal)
  expect(await commitEntry(store, chain, late, signal)).toBe('lost')
  await close(chain, 10, 2)
  const after = await preparedEntry(store, chain, { from: 10, to: 12, nonce: 'after' }, signal)
  expect(await commitEntry(store, chain, after, signal)).toBe('lost')
})

test('a closed generation is left for the next one, its last entry published first', async () => {
  await open(store)
  const last = await append(0, 10, { publish: false, head: false })
  await close(chain, 10, 2)
  await expect(open(store)).rejects.toMatchObject({ code: 'chain-rewinding', retryable: true })
  expect(store.files.visible.has(last.files[0]?.path ?? '')).toBe(true)

  const next = { ...chain, generation: 2 }
  const genesis = { ...(await open1()).genesis, chain: chainName(next), start: 4, reason: 'rewind' }
  await store.create(genesisPath(next), serialize(genesis), signal)
  expect(await open(store)).toMatchObject({ chain: next, end: 4, last: undefined })
  store.files.visible.delete(headPath(chain))
  expect(await open(store)).toMatchObject({ chain: next, end: 4 })

  async function open1() {
    const other = new MemoryStore()
    return open(other)
  }
})

test('a log that does not hold what it must is corrupt, never skipped', async () => {
  await open(store)
  const entry = await append(0, 10)
  const put = (record: Entry) =>
    store.files.visible.set(entryPath(chain, 0), { content: serialize(record), entryId: undefined })
  for (const broken of [
    { ...entry, from: 1 },
    { ...entry, chain: 'another/one/x-g1/0' }
  ]) {
    put(broken)
    await expect(open(store)).rejects.toMatchObject({ code: 'log-corrupt' })
  }
})

test('a topic without an id gets one that every member reads', async () => {
  const ask = (candidate: string) => recordedTopicId(store, { sink: 's', topic: 't', candidate }, signal)
  const [a, b] = await Promise.all([ask('one'), ask('two')])
  expect(a).toBe(b)
  expect(await ask('three')).toBe(a)
})

test('writers that race, fail and come back leave each offset in exactly one published file', async () => {
  for (let seed = 1; seed <= 12; seed++) await race(seed)
})

async function race(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const files = new MemoryFiles()
  const end = 60
  const write = async (name: string) => {
    const own = new MemoryStore(files)
    for (const type of ['lose-reply', 'fail-before'] as const) {
      const after = Math.floor(random() * 20)
      own.faults.add({ subject: /^(create|publish|replace|read)/, action: { type }, after, times: 3 })
    }
    for (let turn = 0; turn < 500; turn++) {
      try {
        const opened = await open(own)
        if (opened.last && !opened.published) {
          await publishEntry(own, opened.last, signal)
          await writeHead(own, chain, opened.last, 0, signal)
        }
        if (opened.end >= end) return
        const to = Math.min(end, opened.end + 1 + Math.floor(random() * 9))
        const range = { from: opened.end, to, nonce: `${name}-${turn}` }
        const entry = await preparedEntry(own, chain, range, signal)
        if ((await commitEntry(own, chain, entry, signal)) === 'lost') {
          for (const { preparation } of entry.files) await own.discard(preparation, signal)
        } else if (random() < 0.8) {
          await publishEntry(own, entry, signal)
          await writeHead(own, chain, entry, 0, signal)
        }
      } catch (error) {
        if (!(error instanceof Fault && error.retryable)) throw error
      }
    }
    throw new Error(`seed ${seed}: ${name} did not come to an end`)
  }
  await Promise.all(['a', 'b', 'c'].map(write))
  const offsets = [...files.visible]
    .filter(([path]) => path.startsWith('data/'))
    .flatMap(([, { content }]) => content.toString().trim().split('\n').map(Number))
    .sort((a, b) => a - b)
  expect(offsets, `seed ${seed}`).toEqual(Array.from({ length: end }, (_, index) => index))
}

async function close(id: ChainId, from: number, next: number): Promise<void> {
  const closed: ClosedEntry = {
    version: 1,
    type: 'closed',
    chain: chainName(id),
    from,
    closed: next,
    nonce: 'rewind',
    committedAt: instantOf(0)
  }
  await store.create(entryPath(id, from), serialize(closed), signal)
}
