import { expect, test } from 'vitest'
import { isFlawless, type MirrorSoakRun, report } from './evidence.ts'

const clean = { records: 10, missing: 0, repeatedOrWrong: 0, partitionsOutOfOrder: 0 }
const run: MirrorSoakRun = {
  command: 'npm run test:soak -- mirror',
  program: 'the executable',
  seed: 7,
  startedAt: new Date(0),
  minutes: 3,
  disturbances: [{ name: 'kills', outcomes: [{ met: true, recoveredMs: 700, what: 'a' }] }],
  verdict: { out: clean, in: clean },
  exits: [0, 0]
}

test('a run is flawless only when every topic has each record once, unchanged and in order', () => {
  expect(isFlawless(run)).toBe(true)
  for (const fault of [{ missing: 1 }, { repeatedOrWrong: 1 }, { partitionsOutOfOrder: 1 }, { records: 0 }]) {
    expect(isFlawless({ ...run, verdict: { ...run.verdict, in: { ...clean, ...fault } } })).toBe(false)
  }
  expect(isFlawless({ ...run, exits: [0, 1] })).toBe(false)
})

test('the report has a line for each disturbance and each topic', () => {
  expect(report(run)).toContain('| kills | 1 | 1 | 0.7 s | 0.7 s | 0.7 s |')
  expect(report(run)).toContain('| in | 10 | 0 | 0 | 0 |')
})
