import { expect, test } from 'vitest'
import type { RowValue } from '../../../src/actors/rows/decoder.ts'
import { Layout, type LayoutOptions } from '../../../src/actors/store/layout.ts'
import type { ColumnSpec } from '../../../src/records/columns.ts'

const columns: readonly ColumnSpec[] = [
  { name: 'country', type: 'string', nullable: true },
  { name: 'id', type: 'int64', nullable: true },
  { name: 'happened at', type: 'timestamp', nullable: true },
  { name: 'ok', type: 'boolean', nullable: true }
]
const row = (...values: readonly RowValue[]) => ({ value: (column: number) => values[column] })
const nothing = row()
const source = { topic: 'a/b', partition: 7 }
const byArrival = (template: string): LayoutOptions => ({
  ...{ template, timeColumn: undefined, timeWindow: undefined }
})
const byEvent = (timeWindow?: LayoutOptions['timeWindow']) =>
  new Layout({ template: 'dt={date}/hour={hour}', timeColumn: 'happened at', timeWindow }, columns, source)
const HOUR = 3_600_000
const midnight = Date.UTC(2026, 0, 31)

test('date and hour are of the Kafka timestamp, in UTC', () => {
  const layout = new Layout(byArrival('{topic}/p={partition}/dt={date}/hour={hour}'), columns, source)
  expect(layout.directoryOf(midnight, nothing)).toBe('a~2Fb/p=7/dt=2026-01-31/hour=00')
  expect(layout.directoryOf(midnight - 1, nothing)).toBe('a~2Fb/p=7/dt=2026-01-30/hour=23')
  expect(layout.directoryOf(midnight + HOUR, nothing)).toBe('a~2Fb/p=7/dt=2026-01-31/hour=01')
  expect(layout.timeMs).toBe(midnight + HOUR)
})

test('a Kafka timestamp that is no date goes to 1970', () => {
  const layout = new Layout(byArrival('dt={date}/hour={hour}'), columns, source)
  for (const timestamp of [-1, -5e15, 9e15, 2 ** 53]) {
    expect(layout.directoryOf(timestamp, nothing)).toBe('dt=1970-01-01/hour=00')
    expect(layout.timeMs).toBe(-1)
  }
})

test('an event that is late goes to the partition of its own time', () => {
  const layout = byEvent()
  const at = (time: RowValue) => layout.directoryOf(midnight, row('de', 1n, time))
  expect(at(midnight)).toBe('dt=2026-01-31/hour=00')
  expect(at(midnight - 400 * 24 * HOUR)).toBe('dt=2024-12-27/hour=00')
  expect(layout.timeMs).toBe(midnight - 400 * 24 * HOUR)
})

test('an event without a time that can be true goes to __invalid, whatever the clock says', () => {
  const layout = byEvent({ pastMs: 24 * HOUR, futureMs: HOUR })
  const at = (time: RowValue, timestamp = midnight) => layout.directoryOf(timestamp, row('de', 1n, time))
  const invalid = 'dt=__invalid/hour=__invalid'
  expect(at(midnight - 24 * HOUR)).toBe('dt=2026-01-30/hour=00')
  expect(at(midnight - 24 * HOUR - 1)).toBe(invalid)
  expect(at(midnight + HOUR)).toBe('dt=2026-01-31/hour=01')
  expect(at(midnight + HOUR + 1)).toBe(invalid)
  expect(at(undefined)).toBe(invalid)
  expect(layout.timeMs).toBe(-1)
  for (const time of [-1, 9e15]) expect(at(time)).toBe(invalid)
  // Nothing to measure by.
  expect(at(5 * HOUR, -1)).toBe('dt=1970-01-01/hour=05')
})

test('values of columns are encoded, and null, empty and long ones have directories of their own', () => {
  const layout = new Layout(byArrival('country={country}/id={id}/{topic}-{ok}'), columns, source)
  const at = (...values: readonly RowValue[]) => layout.directoryOf(midnight, row(...values))
  expect(at('de', 2n ** 63n - 1n, 0, true)).toBe('country=de/id=9223372036854775807/a~2Fb-true')
  expect(at('../é', undefined, 0, false)).toBe('country=~2E.~2F~C3~A9/id=__null/a~2Fb-false')
  expect(at('', -5n, 0, undefined)).toBe('country=__empty/id=-5/a~2Fb-__null')
  expect(at('__null', 1n)).toBe('country=~5F_null/id=1/a~2Fb-__null')
  expect(at('{id}', 1n)).toBe('country=~7Bid~7D/id=1/a~2Fb-__null')
  const long = [`${'é'.repeat(200)}a`, `${'é'.repeat(200)}b`].map((value) => at(value).split('/')[0] ?? '')
  expect(new Set(long).size).toBe(2)
  for (const segment of long) expect(segment).toMatch(/^country=(~C3~A9)+(~C3)?~~[0-9a-f]{16}$/)
})

test('a value is remembered as itself, however many there are', () => {
  const layout = new Layout(byArrival('id={id}/dt={date}'), columns, source)
  for (let n = 0; n < 5_000; n++) {
    const value = BigInt((n * 7919) % 1_500)
    const day = new Date(midnight + n * HOUR).toISOString().slice(0, 10)
    expect(layout.directoryOf(midnight + n * HOUR, row('', value))).toBe(`id=${value}/dt=${day}`)
  }
})

test('a time in a directory is an instant', () => {
  const layout = new Layout(byArrival('at={happened at}'), columns, source)
  expect(layout.directoryOf(0, row('', 1n, midnight))).toBe('at=2026-01-31T00~3A00~3A00.000Z')
  expect(layout.directoryOf(0, row('', 1n, 9e15))).toBe('at=9000000000000000')
})
