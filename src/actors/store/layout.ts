import { createHash } from 'node:crypto'
import type { ColumnSpec } from '../../records/columns.ts'
import { columnsOf, NULL } from '../../records/directories.ts'
import type { RowDecoder, RowSource, RowValue } from '../rows/decoder.ts'
import { encodeName } from './names.ts'

/** Where the files of a sink lie, and by which time. */
export interface LayoutOptions {
  /** Directories below the sink's data prefix, without slashes at the ends: see `Layout`. */
  readonly template: string
  /** The column with an event's own time. Undefined: the record's Kafka timestamp is its time. */
  readonly timeColumn: string | undefined
  /** How far an event's own time may lie from the record's Kafka timestamp. Undefined: as far as it likes. */
  readonly timeWindow: TimeWindow | undefined
}

export interface TimeWindow {
  readonly pastMs: number
  readonly futureMs: number
}

/** The current row of a decoder. */
export type Row = Pick<RowDecoder, 'value'>

/** What stands where a row has an empty value, or no time that can be true. As with `NULL`, `encodeName` never gives these. */
const EMPTY = '__empty'
const INVALID = '__invalid'
const HOUR_MS = 3_600_000
/** The last millisecond of the year 9999. */
const TIMESTAMP_MAX = 253_402_300_799_999
const NO_TIMESTAMP = -1
/** Hours since 1970 that no time has. */
const INVALID_HOUR = -1

/**
 * The directories of one chain's rows. A template has the fields `{topic}` and `{partition}`; `{date}` (`2026-01-31`) and
 * `{hour}` (`00` to `23`) of the row's time in UTC; and the name of any column, for its value (`country={country}`). Names
 * and values are encoded (`encodeName`), null is `__null`, and long values are cut.
 *
 * The time is the record's Kafka timestamp: every record has it, and it goes to 1970 when it is no date. Or it is that of
 * `timeColumn`: a row that has none, or one outside the window around its Kafka timestamp, goes to `__invalid`, so that an
 * event's wrong clock neither invents partitions nor hides among the right ones. Late events go where they belong.
 */
export class Layout {
  /** Of the row that `directoryOf` was last asked for, milliseconds since 1970; -1 when it has none. */
  timeMs = NO_TIMESTAMP
  readonly #template: string
  readonly #timeColumn: number | undefined
  readonly #timeWindow: TimeWindow | undefined
  readonly #fields: readonly ColumnField[]
  #hour: number | undefined
  #dated = ''
  #directory = ''

  /** @param options checked with these columns by `checkDirectories` */
  constructor(options: LayoutOptions, columns: readonly ColumnSpec[], { topic, partition }: RowSource) {
    const { template, timeColumn, timeWindow } = options
    this.#template = template
      .replaceAll('{topic}', encodeName(topic))
      .replaceAll('{partition}', String(partition))
    this.#timeColumn =
      timeColumn === undefined ? undefined : columns.findIndex(({ name }) => name === timeColumn)
    this.#timeWindow = timeWindow
    this.#fields = columnsOf(template).map((name) => new ColumnField(name, columns))
  }

  directoryOf(timestampMs: number, row: Row): string {
    const hour =
      this.#timeColumn === undefined ? this.#arrived(timestampMs) : this.#happened(timestampMs, row)
    let isSame = hour === this.#hour
    if (!isSame) {
      this.#hour = hour
      this.#dated = dated(this.#template, hour)
    }
    for (const field of this.#fields) isSame = field.holds(row) && isSame
    if (!isSame) {
      this.#directory = this.#fields.reduce(
        (path, { name, segment }) => path.replaceAll(name, segment),
        this.#dated
      )
    }
    return this.#directory
  }

  #arrived(timestampMs: number): number {
    this.timeMs = isDatable(timestampMs) ? timestampMs : NO_TIMESTAMP
    return this.timeMs === NO_TIMESTAMP ? 0 : Math.floor(timestampMs / HOUR_MS)
  }

  #happened(timestampMs: number, row: Row): number {
    const time = row.value(this.#timeColumn as number)
    const isKnown = typeof time === 'number' && isDatable(time)
    this.timeMs = isKnown ? time : NO_TIMESTAMP
    return isKnown && this.#isPlausible(time, timestampMs) ? Math.floor(time / HOUR_MS) : INVALID_HOUR
  }

  /** A record without a Kafka timestamp has nothing to measure by. */
  #isPlausible(timeMs: number, timestampMs: number): boolean {
    if (this.#timeWindow === undefined || !isDatable(timestampMs)) return true
    const { pastMs, futureMs } = this.#timeWindow
    return timeMs >= timestampMs - pastMs && timeMs <= timestampMs + futureMs
  }
}

/** Whether a time is a date of the years 1970 to 9999; -1 means that there is none. */
export function isDatable(timestampMs: number): boolean {
  return timestampMs >= 0 && timestampMs <= TIMESTAMP_MAX
}

function dated(template: string, hour: number): string {
  const iso = hour === INVALID_HOUR ? undefined : new Date(hour * HOUR_MS).toISOString()
  return template
    .replaceAll('{date}', iso?.slice(0, 10) ?? INVALID)
    .replaceAll('{hour}', iso?.slice(11, 13) ?? INVALID)
}

/** Encoded values that each chain remembers: most rows have one of a few. */
const REMEMBERED_MAX = 100

/** A column in a template, with the value of the last row. */
class ColumnField {
  /** With braces. */
  readonly name: string
  segment = NULL
  readonly #column: number
  readonly #isTime: boolean
  readonly #remembered = new Map<RowValue, string>()
  #value: RowValue

  constructor(name: string, columns: readonly ColumnSpec[]) {
    this.name = `{${name}}`
    this.#column = columns.findIndex((column) => column.name === name)
    this.#isTime = columns[this.#column]?.type === 'timestamp'
  }

  /** Takes the row's value; true when it is the one of the row before. */
  holds(row: Row): boolean {
    const value = row.value(this.#column)
    if (value === this.#value) return true
    this.#value = value
    let segment = this.#remembered.get(value)
    if (segment === undefined) {
      segment = segmentOf(this.#isTime && typeof value === 'number' ? instantOf(value) : value)
      if (this.#remembered.size === REMEMBERED_MAX) this.#remembered.clear()
      this.#remembered.set(value, segment)
    }
    this.segment = segment
    return false
  }
}

/** A name component of HDFS has at most 255 bytes, and a template may put several fields into one. */
const SEGMENT_MAX = 100

function segmentOf(value: RowValue): string {
  if (value === undefined) return NULL
  const text = String(value)
  if (text === '') return EMPTY
  const encoded = encodeName(text)
  if (encoded.length <= SEGMENT_MAX) return encoded
  // Two values with the same beginning stay apart. `~~` is never the encoding of a name.
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 16)
  return `${encoded.slice(0, SEGMENT_MAX).replace(/~.?$/, '')}~~${digest}`
}

function instantOf(timestampMs: number): string {
  return isDatable(timestampMs) ? new Date(timestampMs).toISOString() : String(timestampMs)
}
