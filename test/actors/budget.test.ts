import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteBudget, type Lease } from '../../src/actors/budget.ts'

const never = new AbortController().signal

test('leases are granted first come first served and never above the limit', async () => {
  const budget = new ByteBudget(10)
  const first = await budget.take(6, never)
  const order: string[] = []
  const large = budget.take(8, never).then((lease) => {
    order.push('large')
    return lease
  })
  const small = budget.take(2, never).then((lease) => {
    order.push('small')
    return lease
  })
  await Promise.resolve()
  expect(order).toEqual([])
  first.release()
  await large
  await small
  expect(order).toEqual(['large', 'small'])
  expect(budget.usedBytes).toBe(10)
})

test('one lease larger than the whole share is granted when nothing else is held', async () => {
  const budget = new ByteBudget(10)
  const lease = await budget.take(1_000, never)
  expect(lease.bytes).toBe(1_000)
  lease.release()
  expect(budget.usedBytes).toBe(0)
})

test('a waiter that is aborted rejects with the reason and lets those behind it pass', async () => {
  const budget = new ByteBudget(10)
  const held = await budget.take(5, never)
  const abort = new AbortController()
  const large = budget.take(10, abort.signal)
  const small = budget.take(5, never)
  abort.abort(new Error('role stopped'))
  await expect(large).rejects.toThrow('role stopped')
  expect((await small).bytes).toBe(5)
  held.release()
  expect(budget.usedBytes).toBe(5)
})

test('bytes already in memory are counted even above the limit', () => {
  const budget = new ByteBudget(10)
  const lease = budget.takeNow(25)
  expect(budget.usedBytes).toBe(25)
  lease.release()
  lease.release()
  expect(budget.usedBytes).toBe(0)
})

test('whatever the order of taking and releasing, used bytes equal the held leases and stay within the limit', async () => {
  const step = fc.record({ bytes: fc.integer({ min: 1, max: 12 }), release: fc.nat() })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const budget = new ByteBudget(10)
      const held: Lease[] = []
      for (const { bytes, release } of steps) {
        void budget.take(bytes, never).then((lease) => held.push(lease))
        if (release % 2 === 0) held.splice(release % (held.length + 1), 1)[0]?.release()
        await Promise.resolve()
        const sum = held.reduce((total, lease) => total + lease.bytes, 0)
        expect(budget.usedBytes).toBe(sum)
        if (held.length > 1) expect(sum).toBeLessThanOrEqual(10)
      }
    })
  )
})
