import { expect } from 'vitest'
import type { Outcome, RowDecoder } from '../../src/actors/rows/decoder.ts'
import { writeInt64 } from '../../src/records/bytes.ts'
import type { ColumnAppender, ColumnSink } from '../../src/records/columns.ts'
import {
  encodeBatch,
  forEachRecord,
  type Record as KafkaRecord,
  type RecordCursor
} from '../../src/records/record.ts'

export type Cell = string | number | bigint | boolean | Buffer | null

/** Keeps what is appended to one column, as JavaScript values. Text and bytes are buffers. */
export class Cells implements ColumnAppender {
  readonly cells: Cell[] = []
  appendNull = () => void this.cells.push(null)
  appendBytes = (buffer: Buffer, start: number, end: number) =>
    void this.cells.push(Buffer.from(buffer.subarray(start, end)))
  appendString = (value: string) => void this.cells.push(Buffer.from(value))
  appendInt64 = (high: number, low: number) => void this.cells.push((BigInt(high) << 32n) | BigInt(low >>> 0))
  appendNumber = (value: number) => void this.cells.push(value)
  appendBoolean = (value: boolean) => void this.cells.push(value)
  appendInt64FromDigits = (): never => {
    throw new Error('not used')
  }
}

/** What a row holds that is appended to a file of `width` columns; each column must get one value. */
export function appended(width: number, append: (sink: ColumnSink) => void): Cell[] {
  const columns = Array.from({ length: width }, () => new Cells())
  append({ columns })
  return columns.map(({ cells }) => {
    expect(cells).toHaveLength(1)
    return cells[0] ?? null
  })
}

/** Visits records as they come out of a fetched batch. */
export function visit(
  records: readonly Partial<KafkaRecord>[],
  each: (record: RecordCursor) => void,
  base = 0
): void {
  const whole = records.map((record) => ({ key: null, value: null, headers: [], timestamp: 0, ...record }))
  const batch = encodeBatch(whole, { codec: 0 })
  writeInt64(batch, base, 0)
  forEachRecord(batch, each)
}

/** What a decoder makes of a record: its cells by column, text as strings; or what else became of it. */
export function decoded(
  decoder: RowDecoder,
  record: Partial<KafkaRecord>
): Outcome | { readonly [column: string]: Cell } {
  let found: Outcome | { [column: string]: Cell } = 'filtered'
  visit([record], (cursor) => {
    found = decoder.read(cursor)
    if (found !== 'row') return
    const cells = appended(decoder.columns.length, (sink) => decoder.appendTo(sink))
    found = Object.fromEntries(
      decoder.columns.map(({ name, type }, index) => {
        const cell = cells[index] ?? null
        const plain = type === 'string' && Buffer.isBuffer(cell) ? cell.toString() : cell
        // What templates ask for is what the file gets. Offsets are appended as numbers.
        const exact = type === 'int64' && typeof plain === 'number' ? BigInt(plain) : plain
        expect(decoder.value(index) ?? null).toEqual(exact)
        return [name, exact]
      })
    )
  })
  return found
}
