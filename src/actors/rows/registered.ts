import type { ColumnSink, ColumnSpec } from '../../records/columns.ts'
import type { JsonRow } from '../../records/json-columns.ts'
import type { RecordCursor } from '../../records/record.ts'
import type { Row, Taken } from '../../records/row.ts'
import type { AvroRow } from './avro.ts'
import { nullValue, type Outcome, type RowDecoder, type RowValue } from './decoder.ts'
import { payloadStart, type Registry, type RegistrySchema, schemaIdOf } from './registry.ts'

/** Takes a row from the payload in `[start, end)`, which is of the schema. */
export type PayloadReader = {
  readonly row: Row
  readonly read: (schema: RegistrySchema, buffer: Buffer, start: number, end: number) => Taken
}

/**
 * Rows from values in the wire format of a Confluent-compatible registry: a zero, the schema's id, the payload. A
 * value in another format, or one that its own schema does not describe, is a dead letter; a schema that cannot be had holds
 * the partition.
 */
export class RegisteredDecoder implements RowDecoder {
  readonly columns: readonly ColumnSpec[]
  readonly #reader: PayloadReader
  readonly #registry: Registry
  /** The schema for lack of which the last record was not read. */
  #awaited: number | undefined

  constructor(reader: PayloadReader, registry: Registry) {
    this.#reader = reader
    this.#registry = registry
    this.columns = reader.row.columns
  }

  read({ buffer, valueStart, valueEnd }: RecordCursor): Outcome {
    if (valueStart < 0) return nullValue
    const id = schemaIdOf(buffer, valueStart, valueEnd)
    if (id === undefined) return { reason: 'not in the wire format of a schema registry' }
    const schema = this.#registry.get(id)
    if (schema === undefined) {
      this.#awaited = id
      return 'pending'
    }
    const reason = this.#reader.read(schema, buffer, payloadStart(valueStart), valueEnd)
    return reason === undefined ? 'row' : { reason: `schema ${id}: ${reason}` }
  }

  async ready(signal: AbortSignal): Promise<void> {
    if (this.#awaited !== undefined) await this.#registry.load(this.#awaited, signal)
  }

  value(column: number): RowValue {
    return this.#reader.row.value(column)
  }

  appendTo(sink: ColumnSink): void {
    this.#reader.row.appendTo(sink)
  }
}

export function avroPayloads(rows: AvroRow): PayloadReader {
  const read: PayloadReader['read'] = (schema, buffer, start, end) => {
    if (schema.type !== 'avro') return 'is not Avro'
    const payload = buffer.subarray(start, end)
    const decoded = attempt(() => schema.decode(payload))
    return decoded.failure === undefined
      ? rows.read(decoded.value, payload)
      : `not Avro of it: ${decoded.failure}`
  }
  return { row: rows.row, read }
}

/** JSON is checked against its schema, then read from its bytes, so that integers stay exact. */
export function jsonPayloads(rows: JsonRow): PayloadReader {
  const read: PayloadReader['read'] = (schema, buffer, start, end) => {
    if (schema.type !== 'json-schema') return 'is not JSON Schema'
    const reason = rows.read(buffer, start, end)
    if (reason !== undefined) return reason
    const { failure } = attempt(() => schema.decode(buffer.subarray(start, end)))
    return failure === undefined ? undefined : `not JSON of it: ${failure}`
  }
  return { row: rows.row, read }
}

function attempt(decode: () => unknown): { readonly value?: unknown; readonly failure?: string } {
  try {
    return { value: decode() }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : 'it cannot be decoded' }
  }
}
