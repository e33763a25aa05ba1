import { expect, test } from 'vitest'
import type { RowDecoder } from '../../../src/actors/rows/decoder.ts'
import { RestingDecoder } from '../../../src/actors/rows/resting.ts'
import type { ColumnSpec } from '../../../src/records/columns.ts'
import type { RecordCursor } from '../../../src/records/record.ts'

const record = {} as RecordCursor
const column = (name: string): ColumnSpec => ({ name, type: 'string', nullable: true })

test('a decoder is opened when there is something to read, and let go of when it rests', () => {
  const opened: number[] = []
  const resting = new RestingDecoder(() => {
    const number = opened.length
    opened.push(number)
    const inner: RowDecoder = {
      columns: [column(number < 3 ? 'a' : 'b')],
      read: () => 'row',
      ready: () => Promise.resolve(),
      value: () => number,
      appendTo: () => undefined
    }
    return inner
  })
  const { columns } = resting
  expect(columns).toEqual([column('a')])
  const readsAs = () => [resting.read(record), resting.value(0)]
  expect(readsAs()).toEqual(['row', 1])
  expect(readsAs()).toEqual(['row', 1])
  resting.rest()
  resting.rest()
  expect(opened).toEqual([0, 1])
  expect(readsAs()).toEqual(['row', 2])
  // Columns that are told anew are not other columns.
  expect(resting.columns).toBe(columns)
  resting.rest()
  expect(readsAs()).toEqual(['row', 3])
  expect(resting.columns).toEqual([column('b')])
  expect(resting.columns).toBe(resting.columns)
})
