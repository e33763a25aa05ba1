import { expect, test } from 'vitest'
import {
  type Anchor,
  Anchors,
  encodeAnchor,
  isOfTopics,
  StoredAnchors
} from '../../../../src/actors/mirror/offsets/anchors.ts'
import { seededRandom } from '../../../support/random.ts'

/** What the topic would have after these changes. */
function stored(before: ReadonlyMap<number, number>, anchors: Anchors): Map<number, number> {
  const after = new Map(before)
  for (const [source, target] of anchors.takeChanges()) {
    if (target === null) after.delete(source)
    else after.set(source, target)
  }
  return after
}

const listed = (topic: ReadonlyMap<number, number>): Anchor[] =>
  [...topic].map(([source, target]) => ({ source, target }))

test('however long a log is, its anchors are few, spread over all of it, and the topic has the same', () => {
  const random = seededRandom()
  const anchors = new Anchors()
  let topic = new Map<number, number>()
  let [source, target] = [0, 1_000]
  for (let n = 0; n < 20_000; n++) {
    anchors.add({ source, target })
    const step = 1 + Math.floor(random() * 8_000)
    source += step
    target += Math.floor(random() * (step + 1))
    if (random() < 0.01) topic = stored(topic, anchors)
    expect(anchors.size).toBeLessThanOrEqual(256)
  }
  topic = stored(topic, anchors)
  expect(topic.size).toBe(anchors.size)
  expect(anchors.size).toBeGreaterThan(60)
  const sources = [...topic.keys()].sort((a, b) => a - b)
  const gaps = sources.map((one, index) => (sources[index + 1] ?? source) - one)
  expect(Math.max(...gaps)).toBeLessThan(source / 40)
  for (const one of listed(topic)) expect(anchors.below(one.source)).toEqual(one)
  expect(anchors.below(sources[3] ?? 0)).toEqual({ source: sources[3], target: topic.get(sources[3] ?? 0) })
  expect(anchors.above(sources[3] ?? 0)?.source).toBe(sources[4])
})

test('what is stored is taken in, but for what was dropped since; what is not true any more leaves the topic', () => {
  const anchors = new Anchors()
  const of = (source: number, target: number) => ({ source, target })
  anchors.add(of(100_000, 50_000))
  anchors.add(of(110_000, 55_000))
  anchors.takeChanges()
  anchors.dropFrom(105_000)
  anchors.restore([
    of(40_000, 20_000),
    of(0, 0),
    of(110_000, 55_000),
    of(100_000, 50_000),
    of(105_000, 52_000)
  ])
  expect([0, 39_999, 40_000, 99_999, 100_000, 200_000].map((one) => anchors.below(one)?.source)).toEqual([
    0, 0, 40_000, 40_000, 100_000, 105_000
  ])
  anchors.discard([of(120_000, 1), of(105_000, 52_000)])
  expect([...anchors.takeChanges()]).toEqual([
    [110_000, null],
    [120_000, null]
  ])
})

test('of those before the start of the log one is left, of those that are copied once more none', () => {
  const anchors = new Anchors()
  for (let n = 0; n < 10; n++) anchors.add({ source: n * 10_000, target: n * 10_000 })
  anchors.takeChanges()
  anchors.dropBefore(35_000)
  expect(anchors.below(35_000)?.source).toBe(30_000)
  expect(anchors.below(29_999)).toBeUndefined()
  anchors.dropFrom(80_000)
  expect(anchors.below(1e9)?.source).toBe(70_000)
  const changes = anchors.takeChanges()
  expect([...changes.keys()].sort((a, b) => a - b)).toEqual([0, 10_000, 20_000, 80_000, 90_000])
  anchors.giveBack(changes)
  anchors.add({ source: 80_000, target: 200_000 })
  expect(anchors.takeChanges().get(80_000)).toBe(200_000)
})

test('records are read back by partition; the last one counts, and strangers are left out', () => {
  const ids = { sourceId: 's', targetId: undefined }
  const place = { topic: 'a-b.c', partition: 12 }
  const found = new StoredAnchors()
  for (const [source, target] of [
    [10, 7],
    [20, 17],
    [10, null]
  ] as const) {
    found.add(encodeAnchor(place, source, target, ids, 1))
  }
  for (const [key, value] of [
    ['nonsense', '{}'],
    ['t-1@5', 'no json'],
    ['t-1@6', '{"target":-1}'],
    ['t-1@7', '{"target":"8"}']
  ]) {
    found.add({ key: Buffer.from(key ?? ''), value: Buffer.from(value ?? '') })
  }
  const anchor = { key: 'a-b.c-12', source: 20, target: 17, sourceId: 's', targetId: undefined }
  expect([...found.byPartition()]).toEqual([['a-b.c-12', [anchor]]])
  expect(isOfTopics(anchor, { sourceId: 's', targetId: 't' })).toBe(true)
  expect(isOfTopics(anchor, { sourceId: 'other', targetId: 't' })).toBe(false)
})
