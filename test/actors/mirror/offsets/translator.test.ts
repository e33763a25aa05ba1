import { expect, test } from 'vitest'
import type { Cluster } from '../../../../src/actors/kafka/cluster.ts'
import { Anchors } from '../../../../src/actors/mirror/offsets/anchors.ts'
import { OffsetRanges } from '../../../../src/actors/mirror/offsets/ranges.ts'
import { Translator } from '../../../../src/actors/mirror/offsets/translator.ts'

// Nothing here is read from a cluster.
const nowhere = {} as unknown as Cluster
const translator = new Translator({ source: nowhere, target: nowhere, isWhole: () => false })
const signal = new AbortController().signal

const chartOf = (ranges: OffsetRanges, anchors: Anchors, end: () => Promise<number | undefined>) => {
  return { topic: 't', partition: 0, targetTopic: 't', ranges, anchors, end }
}

test('where nothing was copied since the start, the end of the target is the place, and exact up to the position', async () => {
  const ranges = new OffsetRanges(10)
  ranges.advance(15)
  const chart = chartOf(ranges, new Anchors(), async () => 7)
  const at = (offset: number) => translator.translate(chart, offset, signal)
  expect(await Promise.all([10, 15, 16].map(at))).toEqual([
    { target: 7, isExact: true },
    { target: 7, isExact: true },
    { target: 7, isExact: false }
  ])
})

test('what is copied while the end is asked for decides', async () => {
  const ranges = new OffsetRanges(10)
  const chart = chartOf(ranges, new Anchors(), async () => {
    ranges.append(10, 7, 20)
    return 7
  })
  expect(await translator.translate(chart, 25, signal)).toEqual({ target: 22, isExact: true })
})

test('before what is known the anchor below is the place, exact at the anchor itself', async () => {
  const anchors = new Anchors()
  anchors.add({ source: 10_000, target: 9_000 })
  anchors.add({ source: 30_000, target: 28_000 })
  const chart = chartOf(new OffsetRanges(50_000), anchors, async () => undefined)
  const at = (offset: number) => translator.translate(chart, offset, signal)
  expect(await Promise.all([10_000, 29_999, 30_000, 60_000].map(at))).toEqual([
    { target: 9_000, isExact: true },
    { target: 9_000, isExact: false },
    { target: 28_000, isExact: true },
    { target: 28_000, isExact: false }
  ])
  expect(await at(9_999)).toBeUndefined()
})
