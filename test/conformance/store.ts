import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { commitEntry, openChain, publishEntry, writeHead } from '../../src/actors/store/chain.ts'
import type { DataFile, ListedFile, Preparation, PreparedFile, Store } from '../../src/actors/store/store.ts'
import type { FaultAction, Faults } from '../../src/embedded/faults.ts'
import { Fault } from '../../src/errors.ts'
import { chainOf, preparedEntry, seededRandom } from '../support/chain-fixtures.ts'

/** What a backend brings to the suite. */
export interface StoreUnderTest {
  readonly store: Store
  /** Another process's view of the same files. */
  readonly other: Store
  /** Absent where the store is a real one. */
  readonly faults?: Faults
  /** The requests in which each step takes its effect, as the faults' subjects. */
  readonly subjects: Readonly<Record<'create' | 'prepare' | 'publish', RegExp>>
  readonly keepsMetadata: boolean
  readonly stop: () => Promise<void>
}

/** Everything that the sinks rely on, run over every backend. */
export function storeConformance(name: string, start: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a store`, () => {
    let under: StoreUnderTest
    let count = 0
    const { signal } = new AbortController()
    const fresh = (suffix = 'file.json') => `t/${++count}/${suffix}`
    beforeAll(async () => {
      under = await start()
    })
    afterEach(() => under.faults?.clear())
    afterAll(() => under?.stop())

    const fileOf = (
      path: string,
      parts: readonly Buffer[],
      entryId = `chain/0-${path.length}`
    ): DataFile => ({
      path,
      parts,
      bytes: parts.reduce((sum, part) => sum + part.length, 0),
      contentType: 'application/octet-stream',
      entryId
    })
    const prepared = async (file: DataFile, store = under.store): Promise<PreparedFile> => ({
      path: file.path,
      bytes: file.bytes,
      entryId: file.entryId,
      preparation: overTheLog(await store.prepare(file, signal))
    })
    const list = async (prefix: string, startAfter?: string) => {
      const found: ListedFile[] = []
      const options = startAfter === undefined ? {} : { startAfter }
      for await (const file of under.store.list(prefix, options, signal)) found.push(file)
      return found
    }
    const inject = (step: 'create' | 'prepare' | 'publish', action: FaultAction, times = 1) =>
      under.faults?.add({ subject: under.subjects[step], action, times })

    test('the probe finds conditional writes and leaves nothing behind', async () => {
      await under.store.probe(signal)
      expect(await list('log/')).toEqual([])
    })

    test('what is created is read back, and created only once', async () => {
      const path = fresh()
      expect(await under.store.read(path, signal)).toBeUndefined()
      expect(await under.store.stat(path, signal)).toBeUndefined()
      expect(await under.store.create(path, Buffer.from('one'), signal)).toEqual({ outcome: 'created' })
      expect(await under.other.create(path, Buffer.from('two'), signal)).toEqual({ outcome: 'exists' })
      expect((await under.other.read(path, signal))?.toString()).toBe('one')
      expect((await under.store.stat(path, signal))?.bytes).toBe(3)
    })

    test('of many that create one path at once, one succeeds', async () => {
      const path = fresh()
      const writers = Array.from({ length: 8 }, (_, index) =>
        (index % 2 ? under.store : under.other).create(path, Buffer.from(`writer ${index}`), signal)
      )
      const outcomes = (await Promise.all(writers)).map(({ outcome }) => outcome)
      expect(outcomes.filter((outcome) => outcome === 'created').length).toBeLessThanOrEqual(1)
      expect(outcomes.every((outcome) => outcome === 'created' || outcome !== undefined)).toBe(true)
      const winner = outcomes.indexOf('created')
      const content = (await under.store.read(path, signal))?.toString()
      if (winner >= 0) expect(content).toBe(`writer ${winner}`)
    })

    test('replace writes whether or not the file exists', async () => {
      const path = fresh()
      await under.store.replace(path, Buffer.from('one'), signal)
      await under.other.replace(path, Buffer.from('number two'), signal)
      expect((await under.store.read(path, signal))?.toString()).toBe('number two')
    })

    test('remove takes a file away, and an absent one is no error', async () => {
      const path = fresh()
      await under.store.create(path, Buffer.from('x'), signal)
      await under.store.remove(path, signal)
      await under.store.remove(path, signal)
      expect(await under.store.read(path, signal)).toBeUndefined()
    })

    test('listing is ascending by bytes, below the prefix, after the start', async () => {
      const root = `${fresh('list')}`
      const names = ['b/1', 'b/2', 'b.c', 'b-d', 'a', 'b/0/x', 'c+1', '~2E', 'Z', 'dt=1/hour=02/f']
      for (const name of names) await under.store.create(`${root}/${name}`, Buffer.from(name), signal)
      const all = names.map((name) => `${root}/${name}`).sort()
      const paths = async (prefix: string, startAfter?: string) =>
        (await list(prefix, startAfter)).map(({ path }) => path)
      expect(await paths(`${root}/`)).toEqual(all)
      for (const after of [
        `${root}/b.c`,
        `${root}/b/0`,
        `${root}/b/1`,
        `${root}/b0`,
        `${root}/`,
        `${root}/~9`
      ]) {
        expect(await paths(`${root}/`, after), after).toEqual(all.filter((path) => path > after))
      }
      expect(await paths(`${root}/b/`)).toEqual(all.filter((path) => path.startsWith(`${root}/b/`)))
      expect(await paths(`${root}/b`)).toEqual(all.filter((path) => path.startsWith(`${root}/b`)))
      expect(await paths(`${root}/none/`)).toEqual([])
      expect((await list(`${root}/b/`)).map(({ bytes }) => bytes)).toEqual([5, 3, 3])
    })

    test('a prepared file is invisible until it is published, by whomever', async () => {
      const path = fresh('topic+0+1+2+ab.parquet')
      const file = await prepared(fileOf(path, [Buffer.from('ab'), Buffer.from('cdef')], 'chain/1-nonce'))
      expect(await under.other.stat(path, signal)).toBeUndefined()
      expect(await under.other.read(path, signal)).toBeUndefined()
      expect(await list(path.slice(0, path.lastIndexOf('/') + 1))).toEqual([])
      await under.other.publish(file, signal)
      expect((await under.store.read(path, signal))?.toString()).toBe('abcdef')
      const entryId = under.keepsMetadata ? 'chain/1-nonce' : undefined
      expect(await under.store.stat(path, signal)).toEqual({ bytes: 6, entryId })
    })

    test('publishing is idempotent, also by two at once', async () => {
      const file = await prepared(fileOf(fresh('f.parquet'), [Buffer.from('abc')]))
      const attempts = await Promise.allSettled([
        under.store.publish(file, signal),
        under.other.publish(file, signal)
      ])
      expect(attempts.some(({ status }) => status === 'fulfilled')).toBe(true)
      await under.store.publish(file, signal)
      await under.other.publish(file, signal)
      expect((await under.store.read(file.path, signal))?.toString()).toBe('abc')
    })

    test('a file of several parts arrives whole', async () => {
      const random = seededRandom(7)
      const parts = [1, 9_000_000, 3, 8_500_000].map((bytes) =>
        Buffer.alloc(bytes, Math.floor(random() * 256))
      )
      const file = await prepared(fileOf(fresh('big.parquet'), parts))
      await under.store.publish(file, signal)
      const sha256 = (content: Buffer | undefined) =>
        createHash('sha256')
          .update(content ?? '')
          .digest('hex')
      expect(sha256(await under.store.read(file.path, signal))).toBe(sha256(Buffer.concat(parts)))
    })

    test('discarded bytes are gone, and said to be', async () => {
      const file = await prepared(fileOf(fresh('f.parquet'), [Buffer.from('abc')]))
      await under.store.discard(file.preparation, signal)
      await under.other.discard(file.preparation, signal)
      await expect(under.store.publish(file, signal)).rejects.toMatchObject({ code: 'prepared-gone' })
    })

    test('a file that is there with another size is not taken for ours', async () => {
      const file = await prepared(fileOf(fresh('f.parquet'), [Buffer.from('abc')]))
      await under.other.publish(file, signal)
      const wrong = { ...file, bytes: 4 }
      await expect(under.store.publish(wrong, signal)).rejects.toMatchObject({ code: 'publish-blocked' })
    })

    test('a creation whose reply is lost is doubtful, and was made', async ({ skip }) => {
      if (!under.faults) skip()
      const path = fresh()
      inject('create', { type: 'lose-reply' })
      const answer = await under.store.create(path, Buffer.from('one'), signal)
      expect(answer).toMatchObject({ outcome: 'doubtful', fault: { retryable: true } })
      expect((await under.store.read(path, signal))?.toString()).toBe('one')
    })

    test('a creation that failed before its effect is doubtful, and was not made', async ({ skip }) => {
      if (!under.faults) skip()
      const path = fresh()
      inject('create', { type: 'fail-before' })
      expect(await under.store.create(path, Buffer.from('one'), signal)).toMatchObject({
        outcome: 'doubtful'
      })
      expect(await under.store.read(path, signal)).toBeUndefined()
    })

    test('a publication whose reply is lost is published all the same', async ({ skip }) => {
      if (!under.faults) skip()
      const file = await prepared(fileOf(fresh('f.parquet'), [Buffer.from('abc')]))
      inject('publish', { type: 'lose-reply' })
      await under.store.publish(file, signal)
      expect((await under.store.read(file.path, signal))?.toString()).toBe('abc')
    })

    test('a publication that never arrived may be tried again', async ({ skip }) => {
      if (!under.faults) skip()
      const file = await prepared(fileOf(fresh('f.parquet'), [Buffer.from('abc')]))
      inject('publish', { type: 'fail-before' })
      await expect(under.store.publish(file, signal)).rejects.toMatchObject({ retryable: true })
      await under.store.publish(file, signal)
    })

    test('an upload that fails for good shows nothing', async ({ skip }) => {
      if (!under.faults) skip()
      const path = fresh('f.parquet')
      inject('prepare', { type: 'fail-before' }, Number.POSITIVE_INFINITY)
      const failed = under.store.prepare(fileOf(path, [Buffer.from('abc')]), signal)
      await expect(failed).rejects.toMatchObject({ retryable: true })
      expect(await under.store.stat(path, signal)).toBeUndefined()
    })

    test('an aborted call rejects', async () => {
      const aborted = AbortSignal.abort()
      const file = fileOf(fresh(), [Buffer.from('x')])
      await expect(under.store.read(file.path, aborted)).rejects.toThrow()
      await expect(under.store.create(file.path, Buffer.from('x'), aborted)).rejects.toThrow()
      await expect(under.store.prepare(file, aborted)).rejects.toThrow()
    })

    test('writers that race and lose replies leave each offset in exactly one published file', async () => {
      const random = seededRandom(count)
      for (const step of ['create', 'publish'] as const) {
        for (const type of ['lose-reply', 'fail-before'] as const) {
          const after = Math.floor(random() * 6)
          under.faults?.add({ subject: under.subjects[step], action: { type }, after, times: 2 })
        }
      }
      const end = 30
      await Promise.all(
        [under.store, under.other].map((store, index) => race(store, `w${index}`, end, random))
      )
      const offsets: number[] = []
      for (const { path } of await list('data/test.raw/')) {
        const content = await under.store.read(path, signal)
        offsets.push(...(content?.toString().trim().split('\n').map(Number) ?? []))
      }
      offsets.sort((a, b) => a - b)
      expect(offsets).toEqual(Array.from({ length: end }, (_, index) => index))
    })
  })
}

const chain = chainOf()

async function race(store: Store, name: string, end: number, random: () => number): Promise<void> {
  const { signal } = new AbortController()
  const start = async () => ({ offset: 0, reason: 'earliest' })
  for (let turn = 0; turn < 200; turn++) {
    try {
      const opened = await openChain(store, { chain, clusterId: 'c', start, now: () => 0 }, signal)
      if (opened.last && !opened.published) {
        await publishEntry(store, opened.last, signal)
        await writeHead(store, chain, opened.last, 0, signal)
      }
      if (opened.end >= end) return
      const to = Math.min(end, opened.end + 1 + Math.floor(random() * 6))
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

/** As another process reads it from the entry. */
function overTheLog(preparation: Preparation): Preparation {
  return JSON.parse(JSON.stringify(preparation)) as Preparation
}
