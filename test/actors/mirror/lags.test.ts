import { expect, test } from 'vitest'
import type { FetchedSlice } from '../../../src/actors/kafka/fetcher.ts'
import { Lags } from '../../../src/actors/mirror/lags.ts'
import { encodeBatch } from '../../../src/records/record.ts'

const place = { topic: 't', partition: 0 }
const key = 't-0'

/** Records of one fetch, one offset each, made at these times. */
function slice(fetchOffset: number, timestamps: readonly number[], lastStableOffset: number): FetchedSlice {
  const records = timestamps.map((timestamp) => ({ key: null, value: null, headers: [], timestamp }))
  return {
    ...place,
    generation: 1,
    fetchOffset,
    recordSet: records.length === 0 ? Buffer.alloc(0) : encodeBatch(records, { codec: 0 }),
    nextOffset: fetchOffset + timestamps.length,
    aborted: [],
    highWatermark: lastStableOffset,
    lastStableOffset,
    logStartOffset: 0,
    topicId: undefined,
    leaderEpoch: 0,
    lease: { bytes: 0, release() {} }
  }
}

const position = (next: number) => ({
  ...place,
  position: { next, leaderEpoch: 0, sourceId: undefined, targetId: undefined }
})

/** Lags whose clock stands where it is put. */
function lagsAt(start: number) {
  const clock = { now: start }
  return { clock, lags: new Lags(() => clock.now) }
}

test('a record is as old as the header of its slice says, until its position is committed', () => {
  const { clock, lags } = lagsAt(10_000)
  lags.fetched([slice(5, [4_000, 4_500], 9)])
  lags.fetched([slice(7, [9_000, 9_100], 9)])
  expect(lags.ageMs(key, 5, 9)).toBe(6_000)
  expect(lags.ageMs(key, 6, 9)).toBe(6_000)
  lags.committed([position(7)])
  expect(lags.ageMs(key, 7, 9)).toBe(1_000)
  clock.now += 500
  expect(lags.ageMs(key, 7, 9)).toBe(1_500)
  expect(lags.ageMs(key, 9, 9)).toBe(0)
})

test('what cannot be known is not told, and a clock that runs ahead makes no record younger than now', () => {
  const { lags } = lagsAt(10_000)
  expect(lags.ageMs(key, 0, 5)).toBeUndefined()
  expect(lags.ageMs(key, -1, 5)).toBeUndefined()
  expect(lags.ageMs(key, 0, -1)).toBeUndefined()
  lags.fetched([slice(0, [99_000], 1)])
  expect(lags.ageMs(key, 0, 1)).toBe(0)
})

test('while catching up, what was not fetched yet is at least as late as what came before it', () => {
  const { lags } = lagsAt(100_000)
  lags.fetched([slice(0, [10_000], 50)])
  lags.committed([position(1)])
  expect(lags.ageMs(key, 1, 50)).toBe(90_000)
})

test('a record that comes after a long silence is not as old as the silence', () => {
  const { clock, lags } = lagsAt(100_000)
  lags.fetched([slice(0, [10_000], 1)])
  lags.committed([position(1)])
  clock.now = 900_000
  expect(lags.ageMs(key, 1, 2)).toBe(0)
  lags.looked([{ ...place, logStart: 0, end: 2 }])
  clock.now += 3_000
  lags.looked([{ ...place, logStart: 0, end: 4 }])
  expect(lags.ageMs(key, 1, 4), 'it counts from the first look that found more').toBe(3_000)
  lags.fetched([slice(1, [], 5)])
  expect(lags.ageMs(key, 1, 5), 'also when the leader says so and brings nothing').toBe(3_000)
  lags.fetched([slice(1, [902_500], 5)])
  expect(lags.ageMs(key, 1, 5)).toBe(500)
})

test('a partition that is not fetched is behind since a look found something on it', () => {
  const { clock, lags } = lagsAt(1_000)
  lags.looked([{ ...place, logStart: 3, end: 3 }])
  clock.now = 5_000
  lags.looked([{ ...place, logStart: 3, end: 8 }])
  clock.now = 9_000
  expect(lags.ageMs(key, 3, 8)).toBe(4_000)
  lags.looked([])
  expect(lags.ageMs(key, 3, 8), 'one that is gone is forgotten').toBeUndefined()
})

test('a partition that is read anew begins anew', () => {
  const { lags } = lagsAt(10_000)
  lags.fetched([slice(0, [1_000], 9)])
  lags.fetched([slice(1, [2_000], 9)])
  lags.fetched([slice(1, [2_000], 9)])
  expect(lags.ageMs(key, 1, 9)).toBe(8_000)
  expect(lags.ageMs(key, 0, 9), 'before it nothing is known: the first that was read stands for it').toBe(
    8_000
  )
})

test('records without a time count from when they came', () => {
  const { clock, lags } = lagsAt(10_000)
  lags.fetched([slice(0, [-1], 1)])
  clock.now += 700
  expect(lags.ageMs(key, 0, 1)).toBe(700)
})
