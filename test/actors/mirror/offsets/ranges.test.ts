import { expect, test } from 'vitest'
import { OffsetRanges } from '../../../../src/actors/mirror/offsets/ranges.ts'
import { seededRandom } from '../../../support/random.ts'

/** A partition and its copy, one entry per offset: the source's kept records and where they lie on the target. */
class Model {
  readonly kept: { readonly source: number; readonly target: number }[] = []
  source: number
  target: number

  constructor(source: number, target: number) {
    this.source = source
    this.target = target
  }

  /** Where a reader that has read everything before `source` would have to go on, at the latest. */
  truth(source: number): number {
    const next = this.kept.find((record) => record.source >= source)
    return next?.target ?? this.target
  }

  /** The copied records that a reader at `target` on the copy, who had read all before `source`, reads again. */
  repeated(source: number, target: number): number {
    return this.kept.filter((record) => record.source < source && record.target >= target).length
  }
}

test('no translation is ever behind the next record to read, and exact ones repeat none, whatever was left out', () => {
  const random = seededRandom()
  const below = (limit: number) => Math.floor(random() * limit)
  for (let round = 0; round < 60; round++) {
    const model = new Model(below(1_000), below(2) * 2 ** 40)
    const first = model.source
    const ranges = new OffsetRanges(first)
    const commits = 1 + below(400)
    for (let commit = 0; commit < commits; commit++) {
      for (let runs = below(4); runs > 0; runs--) {
        // What is left out: markers, aborted data, holes, records that a filter leaves behind.
        if (random() < 0.4) model.source += below(random() < 0.05 ? 2 ** 35 : 6)
        // What others have on the target: their own records, and aborted transactions of ours.
        if (random() < 0.2) model.target += below(5)
        const count = 1 + below(random() < 0.1 ? 3_000 : 4)
        ranges.append(model.source, model.target, count)
        for (let n = 0; n < count && model.kept.length < 20_000; n++) {
          model.kept.push({ source: model.source + n, target: model.target + n })
        }
        model.source += count
        model.target += count
      }
      if (random() < 0.3) model.source += below(3)
      ranges.advance(model.source)
      model.target += 1
      if (random() < 0.02) ranges.trim(below(300))
    }
    expect(ranges.next).toBe(model.source)
    if (model.kept.length >= 20_000 || model.kept.length === 0) continue
    for (let n = 0; n < 400; n++) {
      const near = model.kept[below(model.kept.length)]?.source ?? 0
      const asked = random() < 0.1 ? model.source + below(10) : Math.max(0, near + below(5) - 2)
      const found = ranges.translate(asked)
      if (found === undefined) continue
      expect(found.target, `${asked} in round ${round}`).toBeLessThanOrEqual(model.truth(asked))
      if (found.isExact) expect(model.repeated(asked, found.target)).toBe(0)
      else expect(asked).toBeGreaterThan(model.source)
    }
  }
})

test('every offset that is covered is translated exactly; older and newer ones are not', () => {
  const ranges = new OffsetRanges(100)
  expect(ranges.translate(100)).toBeUndefined()
  ranges.append(103, 7, 10)
  ranges.append(113, 17, 5)
  ranges.append(120, 23, 1)
  ranges.advance(125)
  const target = (source: number) => ranges.translate(source)
  expect(target(99)).toBeUndefined()
  expect([100, 103, 104, 117].map(target)).toEqual(
    [7, 7, 8, 21].map((offset) => ({ target: offset, isExact: true }))
  )
  expect([118, 119, 120].map(target)).toEqual(Array(3).fill({ target: 23, isExact: true }))
  expect([121, 125].map(target)).toEqual(Array(2).fill({ target: 24, isExact: true }))
  expect(target(126)).toEqual({ target: 24, isExact: false })
})

test('old ranges go, a chunk at a time, and what is left is exact', () => {
  const ranges = new OffsetRanges(0)
  for (let n = 0; n < 5_000; n++) ranges.append(n * 3, n * 4, 2)
  ranges.trim(4_096)
  const found = Array.from({ length: 5_000 }, (_, n) => ranges.translate(n * 3 + 1))
  const kept = found.filter((one) => one !== undefined).length
  expect(kept).toBeGreaterThanOrEqual(4_096)
  expect(kept).toBeLessThan(4_096 + 130)
  for (const [n, one] of found.entries()) {
    if (n >= 5_000 - kept) expect(one).toEqual({ target: n * 4 + 1, isExact: true })
    else expect(one).toBeUndefined()
  }
})

test('what does not lie behind the rest begins everything anew', () => {
  const ranges = new OffsetRanges(0)
  ranges.append(0, 0, 10)
  ranges.append(50, 5, 10)
  expect(ranges.translate(3)).toBeUndefined()
  expect(ranges.translate(52)).toEqual({ target: 7, isExact: true })
})
