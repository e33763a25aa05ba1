import { expect, test } from 'vitest'
import { OffsetBook } from '../../../../src/actors/mirror/offsets/book.ts'
import { Landings } from '../../../../src/actors/mirror/offsets/landings.ts'
import { Fault } from '../../../../src/errors.ts'
import type { Expectation, PositionRecord } from '../../../../src/machines/shard-protocol.ts'
import { failing } from '../../../../src/machines/topic-rules.ts'

const place = { topic: 't', partition: 0 }

function expectation(offset: number, partition = 0): Expectation {
  const rest = { generation: 1, targetTopic: 'x.t', maxBytes: 1e6, filter: undefined, isCareful: false }
  return { topic: 't', partition, offset, policies: failing, ...rest }
}

const batch = (offset: number, count: number, partition = 0) => {
  return { topic: 'x.t', partition, source: { topic: 't', partition }, origins: [{ offset, count }] }
}
const answer = (baseOffset: number, fault?: Fault, partition = 0) => {
  return { topic: 'x.t', partition, baseOffset, error: 0, fault }
}
const position = (next: number, ids = 'id', partition = 0): PositionRecord => {
  const position = { next, leaderEpoch: 0, sourceId: ids, targetId: ids }
  return { topic: 't', partition, position }
}
function bookOf(rangesMax?: number): OffsetBook {
  const book = new OffsetBook({ isTracked: () => true, ...(rangesMax && { rangesMax }) })
  book.own(Array.from({ length: 40 }, (_, shard) => shard))
  return book
}
const target = (book: OffsetBook, source: number) => book.page(place)?.ranges.translate(source)?.target

test('a transaction is told with its commit, and never what it would take back', () => {
  const book = bookOf()
  const first = new Landings({ book, shard: 0, delivery: 'exactly-once' })
  first.expect([expectation(100)])
  first.acknowledged([batch(103, 10)], [answer(7)])
  expect(target(book, 105)).toBeUndefined()
  first.committed([position(115)])
  expect([100, 103, 105, 112, 113, 115].map((source) => target(book, source))).toEqual([7, 7, 9, 16, 17, 17])
  // What was acknowledged and not committed goes with its writer.
  first.acknowledged([batch(115, 10)], [answer(18)])
  const second = new Landings({ book, shard: 0, delivery: 'exactly-once' })
  second.expect([expectation(115)])
  expect(target(book, 105)).toBe(9)
  second.acknowledged([batch(115, 10)], [answer(29)])
  second.committed([position(125)])
  expect([114, 115, 120].map((source) => target(book, source))).toEqual([29, 29, 34])
})

test('without transactions the acknowledgement tells, but not of partitions that failed in part', () => {
  const book = bookOf()
  const landings = new Landings({ book, shard: 0, delivery: 'at-least-once' })
  landings.expect([expectation(0), expectation(0, 1)])
  const sent = [batch(0, 5), batch(0, 5, 1), batch(5, 5), batch(5, 5, 1)]
  const lost = new Fault('link-closed', 'lost', { retryable: true })
  landings.acknowledged(sent, [answer(0), answer(0, undefined, 1), answer(5), answer(-1, lost, 1)])
  expect(book.page(place)?.ranges.next).toBe(10)
  expect(book.page({ topic: 't', partition: 1 })?.ranges.next).toBe(0)
})

test('a batch of unknown place, and what others copied meanwhile, are not taken for something left out', () => {
  const book = bookOf()
  const landings = new Landings({ book, shard: 0, delivery: 'exactly-once' })
  landings.expect([expectation(0)])
  landings.acknowledged([batch(0, 10)], [answer(0)])
  landings.committed([position(10)])
  landings.acknowledged([batch(10, 10), batch(20, 10)], [answer(-1), answer(21)])
  landings.committed([position(30)])
  expect(target(book, 15)).toBeUndefined()
  expect(target(book, 25)).toBe(26)
  expect(book.page(place)?.anchors.below(15)).toEqual({ source: 0, target: 0 })
  const later = new Landings({ book, shard: 0, delivery: 'exactly-once' })
  later.expect([expectation(50)])
  expect(book.page(place)).toMatchObject({ isRestored: false, begunAt: 50 })
  expect(target(book, 25)).toBeUndefined()
})

test('what went elsewhere, as dead letters do, counts as left out', () => {
  const book = bookOf()
  const landings = new Landings({ book, shard: 0, delivery: 'exactly-once' })
  landings.expect([expectation(0)])
  landings.acknowledged(
    [batch(0, 3), { ...batch(3, 1), topic: 'dead' }, batch(4, 3)],
    [answer(10), answer(700), answer(13)]
  )
  landings.committed([position(8)])
  expect([2, 3, 4, 7].map((source) => target(book, source))).toEqual([12, 13, 13, 16])
})

test('anchors of another topic of the same name are given up', () => {
  const book = bookOf()
  const landings = new Landings({ book, shard: 0, delivery: 'exactly-once' })
  landings.expect([expectation(0)])
  landings.acknowledged([batch(0, 10)], [answer(0)])
  landings.committed([position(10, 'before')])
  expect(book.page(place)?.anchors.size).toBe(1)
  landings.expect([expectation(0)])
  landings.acknowledged([batch(0, 10)], [answer(500)])
  landings.committed([position(10, 'after')])
  expect(book.page(place)?.anchors.below(9)).toEqual({ source: 0, target: 500 })
})

test('memory stays below the limit of all partitions together, and each keeps its newest ranges', () => {
  const book = bookOf(20_000)
  for (let partition = 0; partition < 40; partition++) {
    const landings = new Landings({ book, shard: partition, delivery: 'exactly-once' })
    landings.expect([expectation(0, partition)])
    for (let commit = 0; commit < 60; commit++) {
      const sent = Array.from({ length: 100 }, (_, n) => batch(commit * 300 + n * 3, 2, partition))
      landings.acknowledged(
        sent,
        sent.map((_, n) => answer(commit * 250 + n * 2.5, undefined, partition))
      )
      landings.committed([position((commit + 1) * 300, 'id', partition)])
      expect(book.size).toBeLessThanOrEqual(20_000)
    }
    expect(book.page({ topic: 't', partition })?.ranges.translate(60 * 300 - 3)?.isExact).toBe(true)
  }
  expect(book.size).toBeGreaterThan(5_000)
})
