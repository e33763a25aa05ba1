import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Emission } from '../../../src/embedded/event-stream/emission.ts'

let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'emission-'))
  path = join(directory, 'emission.ndjson')
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('backfill never begins after what was sent within the window, over flushes, pauses and deaths', () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('flush' as const), events: fc.integer({ min: 1, max: 256 }) }),
    fc.record({ type: fc.constant('pause' as const), ms: fc.integer({ min: 1, max: 200_000 }) }),
    fc.record({ type: fc.constant('death' as const), ms: fc.integer({ min: 0, max: 10_000_000 }) })
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (steps, minutes) => {
      rmSync(path, { force: true })
      let nowMs = 1000
      let livedMs = 0
      let emission = new Emission(path, () => nowMs)
      const sent: { position: number; livedMs: number }[] = []
      for (const one of steps) {
        if (one.type === 'flush') {
          sent.push({ position: emission.position, livedMs })
          emission.record(emission.position + one.events, one.events)
        } else if (one.type === 'pause') {
          nowMs += one.ms
          livedMs += one.ms
        } else {
          emission.close()
          nowMs += one.ms
          emission = new Emission(path, () => nowMs)
        }
      }
      const first = sent.find((flush) => flush.livedMs >= livedMs - minutes * 60_000)
      expect(emission.backfillFrom(minutes)).toBeLessThanOrEqual(first?.position ?? emission.position)
      emission.close()
    }),
    { numRuns: 300 }
  )
})

test('events sent before the window are not replayed', () => {
  let nowMs = 0
  const emission = new Emission(path, () => nowMs)
  emission.record(100, 100)
  nowMs += 61_000
  emission.record(150, 50)
  expect(emission.backfillFrom(1)).toBe(100)
  expect(emission.backfillFrom(2)).toBe(0)
  nowMs += 61_000
  expect(emission.backfillFrom(1)).toBe(150)
  emission.close()
})

test('a torn last line is as if it had not been written', () => {
  const emission = new Emission(path, () => 0)
  emission.record(10, 9)
  emission.close()
  appendFileSync(path, '{"at":0,"from":10,"ne')
  const next = new Emission(path, () => 0)
  expect([next.position, next.emitted]).toEqual([10, 9])
  next.record(20, 10)
  next.close()
  const last = new Emission(path, () => 0)
  expect([last.position, last.emitted, last.backfillFrom(5)]).toEqual([20, 19, 0])
  last.close()
})
