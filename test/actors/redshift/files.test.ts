import { createHash } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import { ByteBudget } from '../../../src/actors/budget.ts'
import type { Replacements } from '../../../src/actors/redshift/copy-text.ts'
import { copySources } from '../../../src/actors/redshift/files.ts'
import type { LoadableFile } from '../../../src/actors/redshift/log.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { columns, parquetOf } from './sink-log.ts'

const { signal } = new AbortController()
const names = columns.map(({ name }) => name)

let store: MemoryStore
let budget: ByteBudget
let seen: (LoadableFile | Replacements | string)[]

beforeEach(() => {
  store = new MemoryStore()
  budget = new ByteBudget(1 << 20)
  seen = []
})

async function put(path: string, from: number, to: number): Promise<LoadableFile> {
  const content = parquetOf(0, from, to)
  await store.replace(path, content, signal)
  const sha256 = createHash('sha256').update(content).digest('hex')
  return { path, bytes: content.length, records: to - from, sha256 }
}

const sources = (files: readonly LoadableFile[], known = names, abort = signal) =>
  copySources(
    [{ from: 0, to: 10, files }],
    {
      store,
      budget,
      columns: new Set(known),
      onFlow: (flow) => seen.push(flow),
      onFile: (file, replacements) => seen.push(file, replacements)
    },
    abort
  )

async function lines(files: readonly LoadableFile[]): Promise<number> {
  let count = 0
  for await (const source of sources(files)) {
    expect(source.columns).toEqual(names)
    for await (const chunk of source.chunks) count += chunk.toString().split('\n').length - 1
  }
  return count
}

test('files come one after the other, and each holds its credit until its last row has gone', async () => {
  const files = [await put('a', 0, 10), await put('b', 10, 13)]
  const held: number[] = []
  budget.onChange((bytes) => held.push(bytes))
  expect(await lines(files)).toBe(13)
  expect(held).toEqual([files[0]?.bytes, 0, files[1]?.bytes, 0])
  const none = { nul: 0, invalidUtf8: 0 }
  expect(seen).toEqual([files[0], none, files[1], none])
})

test('a file waits for credit, visibly; giving up returns what it holds', async () => {
  const file = await put('a', 0, 10)
  const other = budget.takeNow(budget.limitBytes)
  const reading = lines([file])
  await expect.poll(() => seen).toEqual(['throttled'])
  other.release()
  expect(await reading).toBe(10)
  expect(seen.slice(0, 2)).toEqual(['throttled', 'flowing'])
  for await (const _ of sources([file])) break
  expect(budget.usedBytes).toBe(0)
  const abort = new AbortController()
  const all = budget.takeNow(budget.limitBytes)
  const waiting = sources([file], names, abort.signal).next()
  abort.abort()
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  all.release()
  expect(budget.usedBytes).toBe(0)
})

test('only the file that the entry speaks of is loaded', async () => {
  const file = await put('a', 0, 10)
  const cases = [
    { files: [{ ...file, path: 'gone' }], code: 'file-missing', message: 'gone is gone' },
    { files: [{ ...file, bytes: file.bytes + 1 }], code: 'file-corrupt', message: 'its entry says' },
    { files: [{ ...file, sha256: '0'.repeat(64) }], code: 'file-corrupt', message: 'another SHA-256' },
    { files: [{ ...file, records: 11 }], code: 'file-corrupt', message: 'has 10 rows, its entry says 11' }
  ]
  for (const { files, code, message } of cases) {
    await expect(sources(files).next()).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message)
    })
    expect(budget.usedBytes).toBe(0)
  }
  await expect(sources([file], names.slice(1)).next()).rejects.toMatchObject({
    code: 'file-corrupt',
    message: expect.stringContaining('has columns that the table has not: id')
  })
  expect(seen).toEqual([])
})

test('a store that does not answer is no missing file', async () => {
  const file = await put('a', 0, 10)
  store.faults.add({ subject: /^read a/, action: { type: 'fail-before' } })
  await expect(sources([file]).next()).rejects.toMatchObject({ code: 'store-unavailable', retryable: true })
})
