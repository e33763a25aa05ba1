import { createActor, setup } from 'xstate'
import { ByteBudget } from '../../../src/actors/budget.ts'
import type { TableFile } from '../../../src/actors/files/table-file.ts'
import type { FetchedSlice } from '../../../src/actors/kafka/fetcher.ts'
import type { Outcome, RowDecoder } from '../../../src/actors/rows/decoder.ts'
import {
  type BuilderCommand,
  type BuilderOptions,
  type BuilderReport,
  createBuilder
} from '../../../src/actors/store/builder.ts'
import type { Chunk } from '../../../src/actors/store/chunk.ts'
import { OpenFiles } from '../../../src/actors/store/open-files.ts'
import { writeInt64 } from '../../../src/records/bytes.ts'
import type { ColumnAppender, ColumnSink } from '../../../src/records/columns.ts'
import { encodeBatch, type RecordCursor, valueBytes } from '../../../src/records/record.ts'

/**
 * Rows are lines `offset:value`; a value that begins with `!` is refused, one with `-` filtered, and one with `?` pending
 * until `ready` was awaited.
 */
export class LineDecoder implements RowDecoder {
  readonly #columns = [{ name: 'line', type: 'string', nullable: false }] as const
  readonly #isReady: () => Promise<void>
  #line = ''
  #answered = false

  constructor(isReady: () => Promise<void> = () => Promise.resolve()) {
    this.#isReady = isReady
  }

  get columns(): RowDecoder['columns'] {
    return this.#columns
  }

  read(record: RecordCursor): Outcome {
    if (record.valueStart < 0) return { reason: 'value is null' }
    const value = String(valueBytes(record))
    if (value.startsWith('!')) return { reason: 'refused' }
    if (value.startsWith('-')) return 'filtered'
    if (value.startsWith('?') && !this.#answered) return 'pending'
    if (value === 'defect') throw new TypeError('a defect')
    this.#line = `${record.offset}:${value}\n`
    return 'row'
  }

  async ready(): Promise<void> {
    await this.#isReady()
    this.#answered = true
  }

  value(): string {
    return this.#line
  }

  appendTo({ columns }: ColumnSink): void {
    columns[0]?.appendString(this.#line)
  }
}

export function lineFile(): TableFile {
  const lines: Buffer[] = []
  const written = () => lines.reduce((sum, line) => sum + line.length, 0)
  const appender = { appendString: (line: string) => void lines.push(Buffer.from(line)) }
  return {
    extension: 'txt',
    columns: [appender as ColumnAppender],
    endRow: () => undefined,
    /** Half of its buffers are empty. */
    get memoryBytes() {
      return written() * 2
    },
    get rows() {
      return lines.length
    },
    get bytes() {
      return written()
    },
    finish: () => lines
  }
}

interface BatchSpec {
  readonly base: number
  /** `null` for a null value; `[value, timestamp]` for another hour than the first. */
  readonly values: readonly (string | null | readonly [string, number])[]
  readonly producerId?: number
  readonly control?: boolean
  readonly leaderEpoch?: number
}

export function batchOf({ base, values, producerId, control, leaderEpoch = -1 }: BatchSpec): Buffer {
  const records = values.map((each) => {
    const [value, timestamp] = each !== null && typeof each !== 'string' ? each : [each, 0]
    return { key: null, value: value === null ? null : Buffer.from(value), headers: [], timestamp }
  })
  const transaction = producerId === undefined ? {} : { producerId, producerEpoch: 0, transactional: true }
  const batch = encodeBatch(records, { codec: 0, ...transaction, ...(control && { control }) })
  writeInt64(batch, base, 0)
  batch.writeInt32BE(leaderEpoch, 12)
  return batch
}

export function harness(options: Partial<BuilderOptions> = {}) {
  const budget = new ByteBudget(1_000_000)
  const reports: BuilderReport[] = []
  const builder = createBuilder({
    budget,
    openFiles: new OpenFiles(100),
    layout: { template: '{topic}/dt={date}/hour={hour}', timeColumn: undefined, timeWindow: undefined },
    rotateBytes: 1_000_000,
    rotateRecords: 1_000,
    filesMax: 32,
    deadLetters: undefined,
    decoder: () => new LineDecoder(),
    file: lineFile,
    ...options
  })
  const keep = ({ event }: { event: BuilderReport }) => reports.push(event)
  const machine = setup({ types: { events: {} as BuilderReport }, actors: { builder } }).createMachine({
    invoke: { src: 'builder', id: 'builder', input: { topic: 't', partition: 0 } },
    // A wildcard would take the actor's failure for a report.
    on: {
      'chunk.grew': { actions: keep },
      'chunk.filled': { actions: keep },
      'chunk.cut': { actions: keep },
      'builder.faulted': { actions: keep }
    }
  })
  const actor = createActor(machine)
  let failure: unknown
  actor.subscribe({ error: (error) => (failure = error) })
  actor.start()
  const send = (command: BuilderCommand) => actor.getSnapshot().children.builder?.send(command as never)
  const until = async (holds: () => boolean) => {
    while (!holds() && failure === undefined) await new Promise((resolve) => setImmediate(resolve))
  }
  let offset = 0
  return {
    actor,
    budget,
    reports,
    send,
    failure: () => failure,
    begin: (position: number) => {
      offset = position
      send({ type: 'begin', position })
    },
    append: (batches: readonly BatchSpec[], aborted: FetchedSlice['aborted'] = []) => {
      const recordSet = Buffer.concat(batches.map(batchOf))
      const last = batches.at(-1)
      const nextOffset = last ? last.base + last.values.length : offset
      send({
        type: 'append',
        slice: sliceOf(budget, { fetchOffset: offset, nextOffset, recordSet, aborted })
      })
      offset = nextOffset
    },
    grewTo: (next: number) =>
      until(() => reports.some((report) => report.type === 'chunk.grew' && report.next === next)),
    cut: async (): Promise<Chunk> => {
      const before = cuts(reports).length
      send({ type: 'cut' })
      await until(() => cuts(reports).length > before)
      return cuts(reports).at(-1) as Chunk
    },
    until
  }
}

const cuts = (reports: readonly BuilderReport[]) =>
  reports.flatMap((report) => (report.type === 'chunk.cut' ? [report.chunk] : []))
export const text = (chunk: Chunk, kind: 'data' | 'dead') =>
  chunk.files.filter((file) => file.kind === kind).map((file) => Buffer.concat(file.parts).toString())

/** A slice whose bytes are overwritten once its lease is given back, as the next answer would. */
export function sliceOf(
  budget: ByteBudget,
  { recordSet: bytes, ...slice }: Pick<FetchedSlice, 'fetchOffset' | 'nextOffset' | 'recordSet' | 'aborted'>
): FetchedSlice {
  const recordSet = Buffer.from(bytes)
  const lease = budget.takeNow(recordSet.length)
  const release = () => {
    lease.release()
    recordSet.fill(0xee)
  }
  return {
    topic: 't',
    partition: 0,
    generation: 1,
    highWatermark: slice.nextOffset,
    lastStableOffset: slice.nextOffset,
    logStartOffset: 0,
    topicId: undefined,
    leaderEpoch: 0,
    lease: { bytes: lease.bytes, release },
    recordSet,
    ...slice
  }
}

/** Enough of the event loop for a builder to come to a record that it has to wait for. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}
