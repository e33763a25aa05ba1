import { expect, test } from 'vitest'
import { ByteBudget } from '../../../src/actors/budget.ts'
import { AnswerMemory, BufferPool } from '../../../src/actors/kafka/answer-memory.ts'

const never = new AbortController().signal

test('a lease shrinks to the answer and lasts until the last slice is released', async () => {
  const budget = new ByteBudget(1_000)
  const memory = new AnswerMemory(await budget.take(500, never), budget, undefined)
  memory.allocate(100)
  const [first, second] = [memory.share(60), memory.share(30)]
  memory.release()
  expect([budget.usedBytes, first.bytes, second.bytes]).toEqual([100, 60, 30])
  first.release()
  first.release()
  expect([budget.usedBytes, first.bytes]).toEqual([100, 0])
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
  const budget = new ByteBudget(10_000)
  const pool = new BufferPool(1_000, 2)
  const next = async () => new AnswerMemory(await budget.take(1_000, never), budget, pool)
  const first = await next()
  const buffer = first.allocate(900)
  const slice = first.share(900)
  first.release()
  const second = await next()
  expect(second.allocate(900)).not.toBe(buffer)
  slice.release()
  expect((await next()).allocate(600)).toBe(buffer)
})

test('small answers do not hold a large buffer, large ones are not cut', async () => {
  const pool = new BufferPool(1_000, 2)
  expect(pool.take(499)).toBeUndefined()
  expect(pool.take(1_001)).toBeUndefined()
  pool.give(Buffer.alloc(20))
  expect(pool.take(1_000)?.length).toBe(1_000)
})
