import { expect, test } from 'vitest'
import { isFlawless, report, type SinkSoakRun } from './evidence.ts'
import { compare } from './verdict.ts'

const clean = {
  records: 10,
  entries: 3,
  repairs: 0,
  swept: 2,
  left: 0,
  missing: 0,
  repeated: 0,
  wrong: 0,
  gaps: 0,
  strayFiles: 0
}
const run: SinkSoakRun = {
  command: 'npm run test:soak -- sinks',
  program: 'the executable',
  seed: 7,
  startedAt: new Date(0),
  minutes: 3,
  disturbances: [{ name: 'kills', outcomes: [{ met: true, recoveredMs: 700, what: 'a' }] }],
  verdict: { HDFS: clean, S3: clean },
  broken: 0,
  exits: [0, 0]
}

test('a run is flawless only when every store has each record once, in its place, and nothing else', () => {
  expect(isFlawless(run)).toBe(true)
  for (const name of ['missing', 'repeated', 'wrong', 'gaps', 'strayFiles', 'left'] as const) {
    expect(isFlawless({ ...run, verdict: { ...run.verdict, S3: { ...clean, [name]: 1 } } }), name).toBe(false)
  }
  expect(isFlawless({ ...run, verdict: { HDFS: { ...clean, records: 0 } } })).toBe(false)
  expect(isFlawless({ ...run, exits: [0, 1] })).toBe(false)
  expect(isFlawless({ ...run, broken: 1 })).toBe(false)
})

test('the report has a line for each disturbance and each store', () => {
  expect(report(run)).toContain('| kills | 1 | 1 | 0.7 s | 0.7 s | 0.7 s |')
  expect(report(run)).toContain('| S3 | 10 | 3 | 0 | 0 | 0 | 0 | 0 | 0 | 2 | 0 |')
})

test('what is missing, repeated or in another place is counted', () => {
  const row = (offset: number, id: string | undefined) => ({ partition: 0, offset, id })
  const [a, dead, b] = [row(3, 'a'), row(5, undefined), row(9, 'b')]
  const wanted = [['a', undefined, 'b']]
  const found = { records: 3, missing: 0, repeated: 0, wrong: 0 }
  expect(compare([[b, a, dead]], wanted)).toEqual(found)
  expect(compare([[a, dead]], wanted)).toEqual({ ...found, records: 2, missing: 1 })
  expect(compare([[a, a, dead, b]], wanted)).toEqual({ ...found, repeated: 1 })
  expect(compare([[a, row(5, 'x'), b]], wanted)).toEqual({ ...found, wrong: 1 })
  expect(compare([[a, dead, b, row(10, 'c')]], wanted)).toEqual({ ...found, records: 4, wrong: 1 })
})
