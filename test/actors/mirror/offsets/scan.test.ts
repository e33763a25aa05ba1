import { expect, test } from 'vitest'
import { CommittedRuns, joined } from '../../../../src/actors/mirror/offsets/scan.ts'
import { seededRandom } from '../../../support/random.ts'

/** One offset of a log: a record that was committed, one that was not, or a marker. */
interface Entry {
  readonly offset: number
  readonly kind: 'record' | 'aborted' | 'marker'
  /** Which record it is a copy of. */
  readonly of: number
}

/** The log as batches of a few neighbours of a kind. */
function runsOf(log: readonly Entry[], from: number, until: number, below: (limit: number) => number) {
  const runs = new CommittedRuns(from, until)
  for (let at = 0; at < log.length; ) {
    const [first] = log.slice(at, at + 1)
    if (first === undefined) break
    const size = first.kind === 'marker' ? 1 : 1 + below(5)
    const batch = log
      .slice(at, at + size)
      .filter(({ kind }, index, all) => all.slice(0, index + 1).every((one) => one.kind === kind))
    const lastOffset = batch.at(-1)?.offset ?? first.offset
    const extent = {
      baseOffset: first.offset,
      lastOffset,
      lastOffsetDelta: lastOffset - first.offset,
      count: batch.length
    }
    if (lastOffset >= from && first.offset < until) {
      if (first.kind === 'record') runs.add(extent)
      else runs.pass(extent)
    }
    at += batch.length
  }
  return runs
}

test('two logs are joined only where no record is ever skipped, whatever was cleaned or left out on either side', () => {
  const random = seededRandom()
  const below = (limit: number) => Math.floor(random() * limit)
  let joins = 0
  for (let round = 0; round < 3_000; round++) {
    const source: Entry[] = []
    const target: Entry[] = []
    const lower = { source: below(100), target: below(100) }
    let [here, there] = [lower.source, lower.target]
    const leavesOut = random() < 0.3
    for (let n = 1 + below(12); n > 0; n--) {
      const kind = random() < 0.25 ? 'aborted' : 'record'
      for (let records = 1 + below(4); records > 0; records--) {
        const of = here++
        source.push({ offset: of, kind, of })
        if (kind === 'record' && !(leavesOut && random() < 0.2)) target.push({ offset: there++, kind, of })
      }
      if (random() < 0.5) source.push({ offset: here++, kind: 'marker', of: -1 })
      if (random() < 0.5) target.push({ offset: there++, kind: 'marker', of: -1 })
    }
    const upper = { source: here, target: there }
    const cleaned = (log: readonly Entry[], isCleaned: boolean) =>
      isCleaned ? log.filter(() => random() < 0.8) : log
    // Both sides often lose as many records, but different ones.
    const [ours, theirs] = [cleaned(source, random() < 0.4), cleaned(target, random() < 0.4)]
    const ranges = joined(
      runsOf(ours, lower.source, upper.source, below),
      runsOf(theirs, lower.target, upper.target, below),
      { lower, upper }
    )
    if (ranges === undefined) continue
    joins++
    for (let asked = lower.source; asked < upper.source; asked++) {
      const found = ranges.translate(asked)
      const truth = target.find(({ kind, of }) => kind === 'record' && of >= asked)?.offset ?? upper.target
      expect(found?.target ?? upper.target, `${asked} in round ${round}`).toBeLessThanOrEqual(truth)
      const again = target.filter(
        ({ kind, offset, of }) => kind === 'record' && of < asked && offset >= (found?.target ?? 0)
      )
      if (found?.isExact) expect(again).toEqual([])
    }
  }
  expect(joins).toBeGreaterThan(300)
})

test('equal numbers of records are no proof where offsets are missing', () => {
  const batch = (baseOffset: number, lastOffset: number, count = lastOffset - baseOffset + 1) => {
    return { baseOffset, lastOffset, lastOffsetDelta: lastOffset - baseOffset, count }
  }
  const of = (batches: readonly ReturnType<typeof batch>[], until: number) => {
    const runs = new CommittedRuns(0, until)
    for (const one of batches) runs.add(one)
    return runs
  }
  const bounds = { lower: { source: 0, target: 0 }, upper: { source: 10, target: 10 } }
  const whole = of([batch(0, 9)], 10)
  expect(joined(whole, of([batch(0, 4), batch(5, 12)], 10), bounds)?.translate(7)?.target).toBe(7)
  for (const other of [
    of([batch(0, 4), batch(6, 9)], 10),
    of([batch(0, 9, 9)], 10),
    of([batch(0, 8)], 10),
    of([batch(1, 9)], 10)
  ]) {
    expect(joined(whole, other, bounds)).toBeUndefined()
    expect(joined(other, whole, bounds)).toBeUndefined()
    expect(joined(other, other, bounds)).toBeUndefined()
  }
})
