import { beforeEach, expect, test } from 'vitest'
import { openChain } from '../../../src/actors/store/chain.ts'
import { commitEntry, publishEntry, writeHead } from '../../../src/actors/store/commit.ts'
import type { Entry } from '../../../src/actors/store/entry.ts'
import type { ChainId } from '../../../src/actors/store/names.ts'
import { genesisPath } from '../../../src/actors/store/names.ts'
import { type RewindOptions, rewindChain } from '../../../src/actors/store/rewind.ts'
import { Fault } from '../../../src/errors.ts'
import { chainOf, preparedEntry } from '../../support/chain-fixtures.ts'
import { MemoryFiles, MemoryStore } from '../../support/memory-store.ts'
import { seededRandom } from '../../support/random.ts'

const { signal } = new AbortController()
const chain = chainOf()
let store: MemoryStore
beforeEach(() => {
  store = new MemoryStore()
})
const open = (on = store) =>
  openChain(
    on,
    { chain, clusterId: '', start: async () => ({ offset: 0, reason: 'earliest' }), now: () => 0 },
    signal
  )
const rewind = (to: number, options: Partial<RewindOptions> = {}, on = store) =>
  rewindChain(
    on,
    { chain, clusterId: '', to, nonce: 'rewind', abandon: false, now: () => 0, ...options },
    signal
  )

async function append(id: ChainId, from: number, to: number, publish = true): Promise<Entry> {
  const nonce = `n${from}-${id.generation}`
  const entry = await preparedEntry(store, id, { from, to, nonce }, signal)
  expect(await commitEntry(store, id, entry, signal)).toBe('won')
  if (!publish) return entry
  await publishEntry(store, entry, signal)
  await writeHead(store, id, entry, 0, signal)
  return entry
}

test('a rewound chain goes on in the next generation, where it was told to', async () => {
  await open()
  await append(chain, 0, 10)
  const late = await preparedEntry(store, chain, { from: 10, to: 20, nonce: 'late' }, signal)
  expect(await rewind(3)).toEqual({ generation: 2, end: 10, start: 3 })
  expect(await commitEntry(store, chain, late, signal), 'a worker that was running loses').toBe('lost')
  const opened = await open()
  expect(opened).toMatchObject({ chain: { generation: 2 }, end: 3, genesis: { reason: 'rewind', start: 3 } })
  await append(opened.chain, 3, 12)
  expect(await rewind(0)).toEqual({ generation: 3, end: 12, start: 0 })
  expect(await open()).toMatchObject({ chain: { generation: 3 }, end: 0 })
})

test('a rewind that was cut short is finished by the next one', async () => {
  await open()
  await append(chain, 0, 10)
  store.faults.add({ subject: /^create .*g2.*genesis/, action: { type: 'answer', code: 403 } })
  await expect(rewind(3)).rejects.toThrow()
  await expect(open()).rejects.toMatchObject({ code: 'chain-rewinding', retryable: true })
  expect(await rewind(4)).toEqual({ generation: 2, end: 10, start: 4 })
  expect(await open()).toMatchObject({ chain: { generation: 2 }, end: 4 })
})

test('of two rewinds at once one decides, and both are told where the chain goes on', async () => {
  await open()
  await append(chain, 0, 10)
  const [a, b] = await Promise.all([rewind(3, { nonce: 'a' }), rewind(7, { nonce: 'b' })])
  expect(a.start === b.start || a.generation !== b.generation).toBe(true)
  const { genesis, chain: last } = await open()
  const decided = [a, b].find(({ generation }) => generation === last.generation)
  expect(decided?.start).toBe(genesis.start)
})

test('a chain that has not begun is not rewound', async () => {
  await expect(rewind(3)).rejects.toMatchObject({ code: 'chain-not-begun' })
  expect(store.files.visible.size).toBe(0)
})

test('the last entry is published before its generation is closed, or given up when that is wanted', async () => {
  await open()
  const entry = await append(chain, 0, 10, false)
  await rewind(0)
  expect(store.files.visible.has(entry.files[0]?.path ?? '')).toBe(true)

  const next = (await open()).chain
  await append(next, 0, 10, false)
  store.files.prepared.clear()
  await expect(rewind(0)).rejects.toMatchObject({ code: 'prepared-gone' })
  expect(await open()).toMatchObject({ chain: { generation: 2 }, published: false })
  expect(await rewind(5, { abandon: true })).toEqual({ generation: 3, end: 10, start: 5 })
  expect(await open()).toMatchObject({ chain: { generation: 3 }, end: 5 })
})

test('rewinds among workers that race and fail leave each generation whole', async () => {
  for (let seed = 1; seed <= 10; seed++) await race(seed)
})

async function race(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const files = new MemoryFiles()
  const [end, generations] = [30, 4]
  const write = async (name: string) => {
    const own = new MemoryStore(files)
    for (const type of ['lose-reply', 'fail-before'] as const) {
      const after = Math.floor(random() * 20)
      own.faults.add({ subject: /^(create|publish|replace|read)/, action: { type }, after, times: 3 })
    }
    for (let turn = 0; turn < 1_000; turn++) {
      try {
        const opened = await open(own)
        if (opened.last && !opened.published) {
          await publishEntry(own, opened.last, signal)
          await writeHead(own, opened.chain, opened.last, 0, signal)
        }
        if (opened.end >= end && opened.chain.generation >= generations) return
        if (opened.chain.generation < generations && random() < 0.2) {
          await rewind(Math.floor(random() * 10), { nonce: `${name}-r${turn}` }, own)
          continue
        }
        const range = {
          from: opened.end,
          to: opened.end + 1 + Math.floor(random() * 9),
          nonce: `${name}-${turn}`
        }
        const entry = await preparedEntry(own, opened.chain, range, signal)
        if ((await commitEntry(own, opened.chain, entry, signal)) === 'lost') continue
        if (random() < 0.8) await publishEntry(own, entry, signal)
        if (random() < 0.8 && files.visible.has(entry.files[0]?.path ?? '')) {
          await writeHead(own, opened.chain, entry, 0, signal)
        }
      } catch (error) {
        if (!(error instanceof Fault && error.retryable)) throw error
      }
    }
    throw new Error(`seed ${seed}: ${name} did not come to an end`)
  }
  await Promise.all(['a', 'b', 'c'].map(write))
  const { chain: last } = await open(new MemoryStore(files))
  for (let generation = 1; generation <= last.generation; generation++) {
    const id = { ...chain, generation }
    const start = JSON.parse(String(files.visible.get(genesisPath(id))?.content)).start as number
    let next = start
    for (const [path, { content }] of [...files.visible].sort()) {
      if (!path.startsWith(genesisPath(id).replace('genesis.json', '')) || !/\d{20}\.json$/.test(path))
        continue
      const entry = JSON.parse(String(content))
      expect(entry.from, `seed ${seed}: ${path}`).toBe(next)
      if (entry.type === 'closed') continue
      next = entry.to
      for (const file of entry.files) expect(files.visible.has(file.path), file.path).toBe(true)
    }
  }
}
