import { isUtf8 } from 'node:buffer'
import { Fault } from '../../errors.ts'
import { keyBytes, type RecordCursor, valueBytes } from '../../records/record.ts'

/**
 * A record that could not become a row, as one line of a dead-letter file: where it was, why, and all of its key and
 * value. Bytes that are not UTF-8 stand in `keyBase64` and `valueBase64` instead, so that nothing is lost; null is null.
 */
export interface DeadLetter {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970, or -1. */
  readonly timestamp: number
  readonly reason: string
  readonly key?: string | null
  readonly keyBase64?: string
  readonly value?: string | null
  readonly valueBase64?: string
}

/** The line of a record, newline included. */
export function deadLetterLine(
  topic: string,
  partition: number,
  record: RecordCursor,
  reason: string
): Buffer {
  const letter: DeadLetter = {
    topic,
    partition,
    offset: record.offset,
    timestamp: record.timestamp,
    reason,
    ...textOf('key', 'keyBase64', keyBytes(record)),
    ...textOf('value', 'valueBase64', valueBytes(record))
  }
  return Buffer.from(`${JSON.stringify(letter)}\n`)
}

/** The letters of a file. Throws `dead-letters-unreadable`. */
export function lettersOf(content: Buffer): DeadLetter[] {
  const lines = content.toString('utf8').split('\n')
  return lines.filter((line) => line !== '').map(letterOf)
}

function letterOf(line: string): DeadLetter {
  try {
    return JSON.parse(line) as DeadLetter
  } catch (cause) {
    throw new Fault('dead-letters-unreadable', `no dead letter: ${line.slice(0, EXCERPT_CHARS)}`, { cause })
  }
}

const EXCERPT_CHARS = 60

function textOf<Plain extends string, Encoded extends string>(
  plain: Plain,
  encoded: Encoded,
  bytes: Buffer | null
): Partial<Record<Plain, string | null> & Record<Encoded, string>> {
  const name = bytes === null || isUtf8(bytes) ? plain : encoded
  const text = bytes === null ? null : bytes.toString(name === plain ? 'utf8' : 'base64')
  return { [name]: text } as Partial<Record<Plain, string | null> & Record<Encoded, string>>
}
