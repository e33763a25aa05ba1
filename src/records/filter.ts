import { isUtf8 } from 'node:buffer'
import { Environment } from '@marcbachmann/cel-js'
import { Fault, toFault } from '../errors.ts'
import { headersOf, keyBytes, type RecordCursor, valueBytes } from './record.ts'

/** Whether a record is copied; throws `filter-failed` where the expression has no answer. */
export type RecordFilter = (record: RecordCursor, place: Place) => boolean

/** Where a record lies. */
export interface Place {
  readonly topic: string
  readonly partition: number
}

const environment = new Environment()
  .registerVariable('topic', 'string')
  .registerVariable('partition', 'int')
  .registerVariable('offset', 'int')
  .registerVariable('timestamp', 'int')
  .registerVariable('key', 'dyn')
  .registerVariable('value', 'dyn')
  .registerVariable('headers', 'map<string, dyn>')

/**
 * Compiles a CEL expression over one record: `topic`, `partition`, `offset`, `timestamp` (milliseconds since 1970), `key` (a
 * string, or bytes where it is no UTF-8, or null), `headers` (the last one of a name; values as the key) and `value`, which
 * is JSON, or null where it is none. Throws `config-invalid` with the place where the expression is wrong.
 *
 * Key, value and headers are read when the expression asks for them.
 */
export function compileFilter(text: string): RecordFilter {
  const expression = parsed(text)
  return (record, place) => {
    const answer = evaluated(() => expression(new Subject(record, place)))
    if (typeof answer === 'boolean') return answer
    throw new Fault('filter-failed', `the filter answers with ${typeof answer} and not with true or false`)
  }
}

function parsed(text: string) {
  try {
    const expression = environment.parse(text)
    const { valid, type, error } = expression.check()
    if (!valid) throw error ?? new Error('it has no meaning')
    if (type !== 'bool' && type !== 'dyn') throw new Error(`it is of type ${type}, not bool`)
    return expression
  } catch (cause) {
    throw new Fault('config-invalid', messageOf(cause), { cause })
  }
}

function evaluated(evaluate: () => unknown): unknown {
  try {
    return evaluate()
  } catch (cause) {
    throw new Fault('filter-failed', `the filter has no answer: ${messageOf(cause)}`, { cause })
  }
}

/** Without the drawing of where it is: one line. */
function messageOf(error: unknown): string {
  return toFault(error).message.split('\n')[0] ?? ''
}

/** What an expression may ask for. */
class Subject {
  readonly topic: string
  readonly #record: RecordCursor
  readonly #partition: number

  constructor(record: RecordCursor, { topic, partition }: Place) {
    this.topic = topic
    this.#record = record
    this.#partition = partition
  }

  get partition(): bigint {
    return BigInt(this.#partition)
  }

  get offset(): bigint {
    return BigInt(this.#record.offset)
  }

  get timestamp(): bigint {
    return BigInt(this.#record.timestamp)
  }

  get key(): Text {
    return textOf(keyBytes(this.#record))
  }

  get value(): unknown {
    const bytes = valueBytes(this.#record)
    return bytes === null ? null : jsonOf(bytes.toString())
  }

  get headers(): ReadonlyMap<string, Text> {
    return new Map(headersOf(this.#record).map(({ key, value }) => [key, textOf(value)]))
  }
}

type Text = string | Uint8Array | null

function textOf(bytes: Buffer | null): Text {
  return bytes !== null && isUtf8(bytes) ? bytes.toString() : bytes
}

function jsonOf(text: string): unknown {
  try {
    return LONG_NUMBER.test(text) ? parseExactly(text, exact) : JSON.parse(text)
  } catch {
    return null
  }
}

const LONG_NUMBER = /\d{16}/

/** TypeScript does not know yet that a reviver is told the source of a number (ES2026). */
const parseExactly = JSON.parse as (text: string, revive: typeof exact) => unknown

/** Integers of 64 bits stay what they are. */
function exact(_name: string, value: unknown, { source }: { readonly source?: string }): unknown {
  const isRounded = typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? '')
  return isRounded && source !== undefined ? BigInt(source) : value
}
