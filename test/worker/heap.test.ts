import { expect, test } from 'vitest'
import { compactHeap } from '../../src/worker/heap.ts'

test('garbage is collected and its pages are given back', () => {
  let held: unknown[] = Array.from({ length: 200_000 }, (_, index) => ({ index }))
  expect(held).toHaveLength(200_000)
  const full = process.memoryUsage().heapTotal
  held = []
  compactHeap()
  expect(process.memoryUsage().heapTotal).toBeLessThan(full)
})
