import { expect, test } from 'vitest'
import { RecentIds, type Slot } from '../../../src/actors/feed/recent-ids.ts'

const keep = { keepMs: 600_000 }

/** Writes one transaction with these ids, those admitted only. */
function write(window: RecentIds, ids: readonly string[], nowMs: number) {
  const admitted = ids.filter((id) => window.admit(id))
  return { admitted, ...window.next(admitted, nowMs) }
}

test('an id is admitted once while its slot is kept', () => {
  const window = new RecentIds(keep, [], 0)
  expect(write(window, ['1', '2', '1'], 0).admitted).toEqual(['1', '2'])
  expect(write(window, ['2', '3'], 1_000).admitted).toEqual(['3'])
})

test('slots older than the window against the newest one are dropped', () => {
  const window = new RecentIds(keep, [], 0)
  write(window, ['1'], 0)
  const dropped: number[] = []
  let now = 0
  while (now <= 660_000) {
    now += 20_000
    dropped.push(...write(window, [], now).dropped)
  }
  expect(dropped).toContain(0)
  expect(window.admit('1')).toBe(true)
})

test('a pause between two lives, however long, drops nothing', () => {
  const first = new RecentIds(keep, [], 0)
  const slots: Slot[] = []
  for (let n = 0; n < 5; n++) slots.push(write(first, [String(n)], n * 1_000).slot)
  const day = 86_400_000
  const second = new RecentIds(keep, slots.reverse(), day)
  expect(write(second, ['new'], day + 10).dropped).toEqual([])
  for (let n = 0; n < 5; n++) expect(second.admit(String(n)), `replay of ${n}`).toBe(false)
})

test('a clock that jumps forward or back drops nothing it should keep', () => {
  const window = new RecentIds(keep, [], 1_000_000)
  write(window, ['1'], 1_000_000)
  expect(write(window, [], 5_000_000).dropped).toEqual([])
  expect(write(window, [], 10).dropped).toEqual([])
  expect(window.admit('1')).toBe(false)
})

test('beyond the most ids the oldest slots go, never the newest', () => {
  const window = new RecentIds({ ...keep, idsMax: 3 }, [], 0)
  write(window, ['1', '2'], 0)
  expect(write(window, ['3', '4'], 1).dropped).toEqual([0])
  expect(window.size).toBe(2)
  expect(write(window, ['5', '6', '7', '8'], 2).dropped).toEqual([1])
  expect(window.size).toBe(4)
})

test('slot numbers go on after a restore', () => {
  const window = new RecentIds(keep, [{ number: 41, at: 7, ids: ['x'] }], 0)
  expect(write(window, ['y'], 5).slot).toEqual({ number: 42, at: 12, ids: ['y'] })
})
