import { type FileHandle, open } from 'node:fs/promises'
import { Fault, toFault } from '../../errors.ts'
import type { ByteBudget } from '../budget.ts'
import { fromTask } from '../task.ts'
import { chunkOf, type FeedInput, type FeedReport, LINE_BYTES_MAX } from './feed.ts'
import { LineSplitter } from './lines.ts'

/**
 * Events from a file, one JSON document a line, from the cursor's byte offset to the end that the file has when it is
 * reached. The cursor is `{ offset, line }`: the byte and the number (from 1) of the next line.
 *
 * Reading waits for the budget before every read. Faults: `feed-file-unreadable`, and `feed-file-shorter` when the file
 * ends before the cursor, both not retryable: going on elsewhere would be a silent jump.
 */
export interface FileFeedOptions {
  readonly path: string
  readonly budget: ByteBudget
  /** Bytes per read; 256 KiB by default. */
  readonly readBytes?: number
  readonly lineBytesMax?: number
}

/** How much of a line that is too long reaches the dead letters, in bytes. */
const KEPT_BYTES = 64 * 1024

export function createFileFeed(options: FileFeedOptions) {
  return fromTask<void, FeedInput, never, FeedReport>(async ({ input, signal, report }) => {
    const start = { offset: input.cursor?.offset ?? 0, line: input.cursor?.line ?? 1 }
    const file = await openAt(options.path, start.offset)
    try {
      report({ type: 'feed.status', status: { state: 'reading', reason: options.path } })
      await read(file, start, options, signal, report)
    } finally {
      await file.close()
    }
    // The machine decides what the end means; the task stays until it is stopped.
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  })
}

async function read(
  file: FileHandle,
  start: { readonly offset: number; readonly line: number },
  options: FileFeedOptions,
  signal: AbortSignal,
  report: (event: FeedReport) => void
): Promise<void> {
  const { budget, readBytes = 256 * 1024, lineBytesMax = LINE_BYTES_MAX } = options
  const splitter = new LineSplitter({ lineBytesMax, keptBytes: Math.min(KEPT_BYTES, lineBytesMax) }, start)
  let position = start.offset
  for (let ended = false; !ended; ) {
    // One credit for the read and for the line that it continues: a line larger than the share passes alone.
    const credit = await budget.take(readBytes + splitter.openBytes, signal)
    try {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(readBytes), 0, readBytes, position)
      // What nobody takes any more must not be leased.
      signal.throwIfAborted()
      position += bytesRead
      ended = bytesRead === 0
      const lines = ended ? splitter.finish() : splitter.push(buffer.subarray(0, bytesRead))
      if (lines.length > 0) report({ type: 'feed.chunk', chunk: chunkOf(lines, splitter.next, budget) })
    } finally {
      credit.release()
    }
  }
  report({ type: 'feed.ended' })
}

async function openAt(path: string, offset: number): Promise<FileHandle> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    const { size } = await file.stat()
    if (size >= offset) return file
    throw new Fault('feed-file-shorter', `${path} has ${size} bytes, but ${offset} of it were read before`)
  } catch (error) {
    await file?.close()
    if (error instanceof Fault) throw error
    throw new Fault('feed-file-unreadable', `${path} cannot be read: ${toFault(error).message}`, {
      cause: error
    })
  }
}
