import { expect, test } from 'vitest'
import { inParallel } from '../../../src/actors/store/parallel.ts'

test('results stand in the order of the items, and no more than the limit run at once', async () => {
  let running = 0
  let most = 0
  const results = await inParallel([3, 1, 2, 0], 2, async (item) => {
    most = Math.max(most, ++running)
    for (let turn = 0; turn < item; turn++) await new Promise((resolve) => setImmediate(resolve))
    running--
    return item * 10
  })
  expect(results).toEqual([30, 10, 20, 0])
  expect(most).toBe(2)
  expect(await inParallel([], 2, async () => 1)).toEqual([])
})

test('after a failure nothing new is begun, and what was begun has ended', async () => {
  const begun: number[] = []
  const ended: number[] = []
  const work = inParallel([0, 1, 2, 3], 2, async (item) => {
    begun.push(item)
    if (item === 0) throw new Error('first')
    await new Promise((resolve) => setImmediate(resolve))
    ended.push(item)
  })
  await expect(work).rejects.toThrow('first')
  expect([begun, ended]).toEqual([[0, 1], [1]])
})
