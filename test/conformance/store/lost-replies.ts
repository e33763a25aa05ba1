import { expect } from 'vitest'
import { openChain } from '../../../src/actors/store/chain.ts'
import { commitEntry, publishEntry, writeHead } from '../../../src/actors/store/commit.ts'
import type { Store } from '../../../src/actors/store/store.ts'
import { Fault } from '../../../src/errors.ts'
import { chainOf, preparedEntry } from '../../support/chain-fixtures.ts'
import { seededRandom } from '../../support/random.ts'
import { fileOf, type Property, type StoreBench } from './bench.ts'

const OFFSETS = 30
const TURNS_MAX = 200
const CUTS = 16

/** What becomes of requests that fail before their effect, or whose replies are lost. */
export function lostReplies(property: Property): void {
  property('a creation whose reply is lost is doubtful, and was made', async (bench) => {
    const path = bench.fresh()
    bench.inject('create', { type: 'lose-reply' })
    const answer = await bench.store.create(path, Buffer.from('one'), bench.signal)
    expect(answer).toMatchObject({ outcome: 'doubtful', fault: { retryable: true } })
    expect(await bench.text(path)).toBe('one')
  })

  property('a creation that failed before its effect is doubtful, and was not made', async (bench) => {
    const path = bench.fresh()
    bench.inject('create', { type: 'fail-before' })
    const answer = await bench.store.create(path, Buffer.from('one'), bench.signal)
    expect(answer).toMatchObject({ outcome: 'doubtful' })
    expect(await bench.store.read(path, bench.signal)).toBeUndefined()
  })

  property('a publication whose reply is lost is published all the same', async (bench) => {
    const file = await bench.small()
    bench.inject('publish', { type: 'lose-reply' })
    await bench.store.publish(file, bench.signal)
    expect(await bench.text(file.path)).toBe('abc')
  })

  property('a publication that never arrived may be tried again', async (bench) => {
    const file = await bench.small()
    bench.inject('publish', { type: 'fail-before' })
    await expect(bench.store.publish(file, bench.signal)).rejects.toMatchObject({ retryable: true })
    await bench.store.publish(file, bench.signal)
    expect(await bench.text(file.path)).toBe('abc')
  })

  property('a publication that is cut in its middle can be made again', async (bench) => {
    for (let round = 0; round < CUTS; round++) {
      const file = await bench.small()
      const cut = new AbortController()
      // From before its first byte to after its last, wherever the store is by then.
      const timer = setTimeout(() => cut.abort(), round % 8)
      await bench.store.publish(file, cut.signal).catch(() => undefined)
      clearTimeout(timer)
      await bench.other.publish(file, bench.signal)
      expect(await bench.text(file.path)).toBe('abc')
    }
  })

  property('an upload that fails for good shows nothing', async (bench) => {
    const path = bench.fresh('f.parquet')
    bench.inject('prepare', { type: 'fail-before' }, Number.POSITIVE_INFINITY)
    const failed = bench.store.prepare(fileOf(path, [Buffer.from('abc')]), bench.signal)
    await expect(failed).rejects.toMatchObject({ retryable: true })
    expect(await bench.store.stat(path, bench.signal)).toBeUndefined()
  })

  property(
    'writers that race and lose replies leave each offset in exactly one published file',
    async (bench) => {
      const random = seededRandom()
      for (const step of ['create', 'publish'] as const) {
        for (const type of ['lose-reply', 'fail-before'] as const) {
          const after = Math.floor(random() * 6)
          bench.under.faults.add({ subject: bench.under.subjects[step], action: { type }, after, times: 2 })
        }
      }
      const writers = [bench.store, bench.other]
      await Promise.all(writers.map((store, index) => race(store, `w${index}`, random)))
      expect(await publishedOffsets(bench)).toEqual(Array.from({ length: OFFSETS }, (_, index) => index))
    }
  )
}

const chain = chainOf()

/** Appends entries, each of some offsets, until all are in the chain, whoever else does so, too. */
async function race(store: Store, name: string, random: () => number): Promise<void> {
  const { signal } = new AbortController()
  const start = async () => ({ offset: 0, reason: 'earliest' })
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    try {
      const opened = await openChain(store, { chain, clusterId: 'c', start, now: () => 0 }, signal)
      if (opened.last && !opened.published) {
        await publishEntry(store, opened.last, signal)
        await writeHead(store, chain, opened.last, 0, signal)
      }
      if (opened.end >= OFFSETS) return
      const to = Math.min(OFFSETS, opened.end + 1 + Math.floor(random() * 6))
      const range = { from: opened.end, to, nonce: `${name}a${turn}` }
      const entry = await preparedEntry(store, chain, range, signal)
      if ((await commitEntry(store, chain, entry, signal)) === 'won') continue
      for (const { preparation } of entry.files) await store.discard(preparation, signal)
    } catch (error) {
      if (!(error instanceof Fault && error.retryable)) throw error
    }
  }
  throw new Error(`${name} did not come to an end`)
}

async function publishedOffsets(bench: StoreBench): Promise<number[]> {
  const offsets: number[] = []
  for (const { path } of await bench.list('data/test.raw/')) {
    offsets.push(...((await bench.text(path))?.trim().split('\n').map(Number) ?? []))
  }
  return offsets.sort((a, b) => a - b)
}
