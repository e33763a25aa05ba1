import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
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

test('garbage does not pile up to several times what lives', { timeout: 120_000 }, () => {
  const heap = join(import.meta.dirname, '../../src/worker/heap.ts')
  /** The largest heap, in bytes, of a process that replaces what it holds again and again. */
  const largest = (prelude: string): number => {
    const script = `
      import { preferSmallHeap } from ${JSON.stringify(heap)}
      ${prelude}
      const held = Array.from({ length: 100_000 }, (_, n) => ({ n }))
      let most = 0
      for (let n = 0; n < 10_000_000; n++) {
        if (n % 4 === 0) held[n % held.length] = { n }
        else JSON.stringify({ n })
        if (n % 50_000 === 0) most = Math.max(most, process.memoryUsage().heapTotal)
      }
      console.log(most)`
    const args = ['--input-type=module', '--eval', script]
    return Number(execFileSync(process.execPath, args, { encoding: 'utf8', env: {} }))
  }
  expect(largest('preferSmallHeap()')).toBeLessThan(largest('void preferSmallHeap') / 2)
})
