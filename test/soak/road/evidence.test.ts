import { expect, test } from 'vitest'
import { seconds } from '../markdown.ts'
import { isFlawless, report, type SoakRun } from './evidence.ts'

const clean = { count: 10, missing: 0, repeated: 0, wrong: 0, outOfOrder: 0, examples: [] }
const run: SoakRun = {
  command: 'npm run test:soak',
  program: 'the executable',
  seed: 7,
  startedAt: new Date(0),
  minutes: 3,
  disturbances: [
    { name: 'kills', outcomes: [900, 100, 500].map((recoveredMs) => ({ met: true, recoveredMs, what: '' })) }
  ],
  events: 10,
  exit: 0,
  verdict: { source: clean, target: clean, hdfs: clean, s3: clean, warehouse: clean, deadLetters: [] },
  leaks: []
}

test('a run is flawless only when every store holds each event once, unchanged and in order', () => {
  expect(isFlawless(run)).toBe(true)
  const spoilt = (fault: object) => ({ ...run, verdict: { ...run.verdict, hdfs: { ...clean, ...fault } } })
  for (const fault of [{ missing: 1 }, { repeated: 1 }, { wrong: 1 }, { outOfOrder: 1 }, { count: 9 }])
    expect(isFlawless(spoilt(fault))).toBe(false)
  expect(isFlawless({ ...run, exit: 1 })).toBe(false)
  expect(isFlawless({ ...run, leaks: ['token'] })).toBe(false)
})

test('the report has a line for each disturbance and each store', () => {
  expect(report(run)).toContain('| kills | 3 | 3 | 0.5 s | 0.9 s | 0.9 s |')
  expect(report(run)).toContain('| warehouse | 10 | 0 | 0 | 0 | 0 |')
})

test('percentiles are taken from the times that were measured', () => {
  expect(seconds([], 0.5)).toBe('–')
  expect([0, 0.5, 0.9, 1].map((share) => seconds([100, 200, 300, 9_000], share))).toEqual([
    '0.1 s',
    '0.2 s',
    '9.0 s',
    '9.0 s'
  ])
})
