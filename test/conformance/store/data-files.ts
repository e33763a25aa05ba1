import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { Leftover } from '../../../src/actors/store/store.ts'
import { seededRandom } from '../../support/random.ts'
import { fileOf, type Property } from './bench.ts'

/** Files that are prepared by one process and published by any. */
export function dataFiles(property: Property): void {
  property('a prepared file is invisible until it is published, by whomever', async (bench) => {
    const { store, other, signal } = bench
    const path = bench.fresh('topic+0+1+2+ab.parquet')
    const file = await bench.prepared(fileOf(path, [Buffer.from('ab'), Buffer.from('cdef')], 'chain/1-nonce'))
    expect(await other.stat(path, signal)).toBeUndefined()
    expect(await other.read(path, signal)).toBeUndefined()
    expect(await bench.list(path.slice(0, path.lastIndexOf('/') + 1))).toEqual([])
    await other.publish(file, signal)
    expect(await bench.text(path)).toBe('abcdef')
    const entryId = bench.under.keepsMetadata ? 'chain/1-nonce' : undefined
    expect(await store.stat(path, signal)).toEqual({ bytes: 6, entryId })
  })

  property('publishing is idempotent, also by two at once', async (bench) => {
    const { store, other, signal } = bench
    const file = await bench.small()
    const attempts = await Promise.allSettled([store.publish(file, signal), other.publish(file, signal)])
    expect(attempts.some(({ status }) => status === 'fulfilled')).toBe(true)
    await store.publish(file, signal)
    await other.publish(file, signal)
    expect(await bench.text(file.path)).toBe('abc')
  })

  property('a file of several parts arrives whole', async (bench) => {
    const random = seededRandom(7)
    const parts = [1, 9_000_000, 3, 8_500_000].map((bytes) => Buffer.alloc(bytes, Math.floor(random() * 256)))
    const file = await bench.prepared(fileOf(bench.fresh('big.parquet'), parts))
    await bench.store.publish(file, bench.signal)
    const content = (await bench.store.read(file.path, bench.signal)) ?? Buffer.alloc(0)
    expect(sha256(content)).toBe(sha256(Buffer.concat(parts)))
  })

  property('discarded bytes are gone, and said to be', async (bench) => {
    const { store, other, signal } = bench
    const file = await bench.small()
    await store.discard(file.preparation, signal)
    await other.discard(file.preparation, signal)
    await expect(store.publish(file, signal)).rejects.toMatchObject({ code: 'prepared-gone' })
  })

  property('what is gone is proven gone, and what is there or may still come is not', async (bench) => {
    const { store, other, signal } = bench
    const gone = await bench.small()
    await store.discard(gone.preparation, signal)
    await expect(other.publish(gone, signal)).rejects.toMatchObject({ code: 'prepared-gone' })
    expect(await other.proveGone(gone, signal)).toBe(true)
    const published = await bench.small()
    await store.publish(published, signal)
    expect(await other.proveGone(published, signal)).toBe(false)
    await expect(other.proveGone({ ...published, bytes: 4 }, signal)).rejects.toMatchObject({
      code: 'publish-blocked'
    })
    const waiting = await bench.small()
    // An upload is given up by the proof; a whole file that waits is left where it is.
    expect(await other.proveGone(waiting, signal)).toBe(waiting.preparation.type === 'multipart')
  })

  property(
    'two attempts at one path are kept apart, and the one that is gone cannot come after the other',
    async (bench) => {
      const { store, other, signal } = bench
      const path = bench.fresh('topic+0+1+2+ab.parquet')
      const first = await bench.prepared(fileOf(path, [Buffer.from('one')], 'chain/1-ab'))
      const repair = { ...fileOf(path, [Buffer.from('other')], 'chain/1-cd'), attempt: 'cd' }
      const second = await bench.prepared(repair)
      await store.discard(first.preparation, signal)
      expect(await store.proveGone(first, signal)).toBe(true)
      await store.publish(second, signal)
      await expect(other.publish(first, signal)).rejects.toMatchObject({
        code: expect.stringMatching(/prepared-gone|publish-blocked/)
      })
      expect(await bench.text(path)).toBe('other')
    }
  )

  property('what was prepared is told until it is published or given up', async (bench) => {
    const { store, other, signal } = bench
    const sink = `left.${bench.fresh('x').split('/')[1]}`
    const prefixes = {
      data: `data/${sink}/`,
      dead: `dead/${sink}/`,
      log: `log/v1/${sink}/`,
      chain: `${sink}/`
    }
    const prepare = (nonce: string) =>
      bench.prepared(
        fileOf(
          `data/${sink}/dt=1/t+0+1+2+${nonce}.parquet`,
          [Buffer.from('abc')],
          `${sink}/t/i-g1/0/1-${nonce}`
        )
      )
    const left = async () => {
      const found: Leftover[] = []
      for await (const one of other.leftovers(prefixes, signal)) found.push(one)
      return found
    }
    expect(await left()).toEqual([])
    const [first, second] = [await prepare('aa'), await prepare('bb')]
    const found = await left()
    const nonces = found.map(({ entryId, path }) => /([ab]{2})(\.parquet)?$/.exec(entryId ?? path)?.[1])
    expect(nonces.sort()).toEqual(['aa', 'bb'])
    for (const { preparedMs, isNameable } of found) {
      expect(Math.abs(preparedMs - Date.now())).toBeLessThan(3_600_000)
      expect(isNameable).toBe(true)
    }
    await store.publish(first, signal)
    const [last, ...others] = await left()
    expect(others).toEqual([])
    if (last) await other.discard(last.preparation, signal)
    expect(await left()).toEqual([])
    await expect(store.publish(second, signal)).rejects.toMatchObject({ code: 'prepared-gone' })
  })

  property('a file that is there with another size is not taken for ours', async (bench) => {
    const file = await bench.small()
    await bench.other.publish(file, bench.signal)
    const wrong = bench.store.publish({ ...file, bytes: 4 }, bench.signal)
    await expect(wrong).rejects.toMatchObject({ code: 'publish-blocked' })
  })

  property('an aborted call rejects', async ({ store, signal }) => {
    const aborted = AbortSignal.abort()
    const file = fileOf('t/aborted', [Buffer.from('x')])
    await expect(store.read(file.path, aborted)).rejects.toThrow()
    await expect(store.create(file.path, Buffer.from('x'), aborted)).rejects.toThrow()
    await expect(store.prepare(file, aborted)).rejects.toThrow()
    expect(await store.stat(file.path, signal)).toBeUndefined()
  })
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
