import { type FileHandle, open } from 'node:fs/promises'
import { tweetAt } from './generator.ts'
import type { Rule, RuleBook } from './rules.ts'

/** A run of events from one position on. */
export interface Chunk {
  /** Lines without their end. */
  readonly lines: readonly string[]
  /** Where to read on. */
  readonly next: number
  /** There is nothing after `next`. */
  readonly ended: boolean
}

/** Where the stream's events come from. A position is a number that only its source understands; 0 is the start. */
export interface Source {
  /** At most `linesMax` events at or after `position` and before `end`; none when the next ones match no rule. */
  readonly read: (position: number, linesMax: number, end: number) => Promise<Chunk>
  /** Whether the source hands out events only when there are rules. */
  readonly needsRules: boolean
  readonly close: () => Promise<void>
}

/** Made-up posts looked at in one call; more would hold up everybody else. */
const SCAN_MAX = 1024
const READ_BYTES = 256 * 1024
const LINE_BYTES_MAX = 64 * 1024 ** 2

/** Endless made-up posts that match the rules; positions count all posts, matching or not. */
export function generatedSource(seed: number, rules: RuleBook): Source {
  return {
    needsRules: true,
    read: async (position, linesMax, end) => {
      const lines: string[] = []
      const stop = Math.min(position + SCAN_MAX, end)
      let at = position
      for (; at < stop && lines.length < linesMax; at++) {
        const { text, json } = tweetAt(seed, at)
        const matching = rules.matching(text)
        if (matching.length > 0) lines.push(eventLine(json, matching))
      }
      return { lines, next: at, ended: false }
    },
    close: async () => undefined
  }
}

/** The event as it is sent: the post with the rules that it matches, ascending by id. */
export function eventLine(json: string, matching: readonly Rule[]): string {
  const rules = matching.map(({ id, tag }) => ({ id, tag: tag ?? '' }))
  return `${json.slice(0, -1)},"matching_rules":${JSON.stringify(rules)}}`
}

/** The lines of a file as they are, whatever they hold; empty ones are passed over. Positions are byte offsets. */
export async function fileSource(path: string): Promise<Source> {
  const file = await open(path, 'r')
  return {
    needsRules: false,
    read: async (position, linesMax, end) => await readLines(file, position, linesMax, end),
    close: async () => await file.close()
  }
}

async function readLines(file: FileHandle, position: number, linesMax: number, end: number): Promise<Chunk> {
  const { bytes, atEnd } = await readWholeLines(file, position)
  const lines: string[] = []
  let at = 0
  while (at < bytes.length && lines.length < linesMax && position + at < end) {
    const newline = bytes.indexOf(10, at)
    const line = bytes.toString('utf8', at, newline < 0 ? bytes.length : newline).replace(/\r$/, '')
    if (line.trim() !== '') lines.push(line)
    at = newline < 0 ? bytes.length : newline + 1
  }
  return { lines, next: position + at, ended: atEnd && at === bytes.length }
}

/** Bytes from `position` on that hold at least one whole line; the file's last line may lack its newline. */
async function readWholeLines(
  file: FileHandle,
  position: number
): Promise<{ bytes: Buffer; atEnd: boolean }> {
  for (let size = READ_BYTES; size <= LINE_BYTES_MAX; size *= 4) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(size), { position })
    const atEnd = position + bytesRead >= (await file.stat()).size
    if (atEnd) return { bytes: buffer.subarray(0, bytesRead), atEnd }
    const lastNewline = buffer.lastIndexOf(10, bytesRead - 1)
    if (lastNewline >= 0) return { bytes: buffer.subarray(0, lastNewline + 1), atEnd }
  }
  throw new Error(`a line at byte ${position} is longer than ${LINE_BYTES_MAX} bytes`)
}
