import { afterEach, expect, test, vi } from 'vitest'
import { ByteBudget } from '../../../src/actors/budget.ts'
import { AnswerMemory, BufferPool } from '../../../src/actors/kafka/answer-memory.ts'

const never = new AbortController().signal

afterEach(() => {
  vi.useRealTimers()
})

test('a lease shrinks to the answer and lasts until the last slice is released', async () => {
  const budget = new ByteBudget(1_000)
  const memory = new AnswerMemory(await budget.take(500, never), budget, undefined)
  memory.allocate(100)
  const released = vi.fn()
  const [first, second] = [memory.share(60, released), memory.share(30, () => {})]
  memory.release()
  expect([budget.usedBytes, first.bytes, second.bytes]).toEqual([100, 60, 30])
  first.release()
  first.release()
  expect([budget.usedBytes, first.bytes]).toEqual([100, 0])
  expect(released).toHaveBeenCalledOnce()
  second.release()
  expect(budget.usedBytes).toBe(0)
})

test('an answer above the lease is counted in full', async () => {
  const budget = new ByteBudget(100)
  const memory = new AnswerMemory(await budget.take(50, never), budget, undefined)
  expect(memory.allocate(300).length).toBe(300)
  expect(budget.usedBytes).toBe(300)
  memory.release()
  expect(budget.usedBytes).toBe(0)
})

test('a request that failed gives everything back', async () => {
  const budget = new ByteBudget(100)
  new AnswerMemory(await budget.take(50, never), budget, undefined).release()
  expect(budget.usedBytes).toBe(0)
})

test('a pooled buffer is used again only after the last slice was released', async () => {
  const budget = new ByteBudget(1_000_000)
  const pool = new BufferPool(200_000)
  const next = async () => new AnswerMemory(await budget.take(100_000, never), budget, pool)
  const first = await next()
  const buffer = first.allocate(90_000)
  const slice = first.share(90_000, () => {})
  first.release()
  const second = await next()
  expect(second.allocate(90_000)).not.toBe(buffer)
  slice.release()
  expect((await next()).allocate(85_000)).toBe(buffer)
})

test('what an answer does not use of its buffer is a fifth of it at most, and counts', async () => {
  const pool = new BufferPool(0)
  for (let bytes = 16 * 1024; bytes < 300_000; bytes += 997) {
    const length = pool.take(bytes)?.length ?? 0
    expect(length).toBeGreaterThanOrEqual(bytes)
    expect(length * 0.8).toBeLessThan(bytes)
  }
  const budget = new ByteBudget(1_000_000)
  const memory = new AnswerMemory(await budget.take(100_000, never), budget, pool)
  const { length } = memory.allocate(66_000)
  expect(budget.usedBytes).toBe(length)
  const beyond = new AnswerMemory(await budget.take(50_000, never), budget, pool)
  const larger = beyond.allocate(66_000)
  expect(budget.usedBytes).toBe(length + larger.length)
  memory.release()
  beyond.release()
  expect(budget.usedBytes).toBe(0)
})

test('small buffers are not kept, and of the others the longest unused go first', () => {
  const pool = new BufferPool(65_536)
  expect(pool.take(1_000)).toBeUndefined()
  pool.give(Buffer.alloc(1_000))
  const [oldest, older, newest] = [16_384, 32_768, 32_768].map((bytes) => Buffer.alloc(bytes))
  for (const buffer of [oldest, older, newest]) if (buffer !== undefined) pool.give(buffer)
  expect(pool.take(32_768)).toBe(newest)
  expect(pool.take(32_768)).toBe(older)
  expect(pool.take(16_384)).not.toBe(oldest)
})

test('a free buffer serves an answer that fills the half of it, the smallest of several first', () => {
  const pool = new BufferPool(1_000_000)
  const [large, middle] = [131_072, 98_304].map((bytes) => Buffer.alloc(bytes))
  for (const buffer of [middle, large]) if (buffer !== undefined) pool.give(buffer)
  expect(pool.take(32_768), 'none serves what is so small').toHaveLength(32_768)
  expect(pool.take(65_536)).toBe(middle)
  expect(pool.take(65_536)).toBe(large)
  expect(pool.take(65_536)).toHaveLength(65_536)
})

test('a buffer that nobody wanted for seconds is given back to the system, one that serves is not', () => {
  vi.useFakeTimers()
  const pool = new BufferPool(1_000_000)
  const [idle, busy] = [131_072, 131_072].map((bytes) => Buffer.alloc(bytes))
  for (const buffer of [idle, busy]) if (buffer !== undefined) pool.give(buffer)
  for (let second = 0; second < 6; second++) {
    const taken = pool.take(131_072)
    expect(taken).toBe(busy)
    if (taken !== undefined) pool.give(taken)
    vi.advanceTimersByTime(1_000)
  }
  expect(pool.take(131_072)).toBe(busy)
  expect(pool.take(131_072)).not.toBe(idle)
})
