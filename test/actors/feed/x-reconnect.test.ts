import { expect, test } from 'vitest'
import { type Ending, Reconnect } from '../../../src/actors/feed/x-reconnect.ts'

const waits = (...endings: readonly Ending[]) => {
  const reconnect = new Reconnect()
  return endings.map((ending) => reconnect.after(ending))
}
const http = (status: number): Ending => ({ type: 'http', status })

test('after a stream that was up, at once', () => {
  expect(waits({ type: 'streamed' }, { type: 'streamed' })).toEqual([0, 0])
})

test('after network failures 250 ms more each time, 16 s at most', () => {
  const all = waits(...Array.from({ length: 80 }, (): Ending => ({ type: 'network' })))
  expect(all.slice(0, 3)).toEqual([250, 500, 750])
  expect(all.at(-1)).toBe(16_000)
})

test('after HTTP errors 5 s doubling, 320 s at most', () => {
  expect(waits(...Array.from({ length: 8 }, () => http(503)))).toEqual([
    5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 320_000
  ])
})

test('after 429 a minute doubling', () => {
  expect(waits(http(429), http(429), http(429))).toEqual([60_000, 120_000, 240_000])
})

test('each kind counts for itself, and a stream that was up clears it', () => {
  expect(
    waits(
      { type: 'network' },
      { type: 'network' },
      http(500),
      { type: 'network' },
      { type: 'streamed' },
      { type: 'network' }
    )
  ).toEqual([250, 500, 5_000, 250, 0, 250])
})
