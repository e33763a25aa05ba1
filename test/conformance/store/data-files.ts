import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { seededRandom } from '../../support/chain-fixtures.ts'
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
