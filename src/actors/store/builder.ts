import { setImmediate as turn } from 'node:timers/promises'
import { Fault, toFault } from '../../errors.ts'
import { AbortedFilter } from '../../records/aborted.ts'
import { batchesOf, readHeader } from '../../records/batch.ts'
import type { ByteBudget, Lease } from '../budget.ts'
import type { TableFile } from '../files/table-file.ts'
import type { FetchedSlice } from '../kafka/fetcher.ts'
import type { TopicPartition } from '../kafka/topic-partition.ts'
import type { RowDecoder } from '../rows/decoder.ts'
import { RestingDecoder } from '../rows/resting.ts'
import { fromTask } from '../task.ts'
import type { Chunk } from './chunk.ts'
import { DeadLetterLimit, type DeadLetterRate } from './dead-limit.ts'
import { ChunkDraft, type DraftOptions, type Taken } from './draft.ts'
import { Layout, type LayoutOptions } from './layout.ts'
import type { OpenFiles } from './open-files.ts'

export type BuilderInput = TopicPartition

export type BuilderCommand =
  /** Begins an empty chunk at `position`; whatever was being built is thrown away. */
  | { readonly type: 'begin'; readonly position: number }
  | { readonly type: 'append'; readonly slice: FetchedSlice }
  /** Finishes the chunk and begins the next one at its end. */
  | { readonly type: 'cut' }
  /** Takes nothing in any more, keeps the chunk. */
  | { readonly type: 'close' }
  /** Throws away what is being built, until the next `begin`. */
  | { readonly type: 'halt' }
  /** The chunk is published or given up: its credits go back. */
  | { readonly type: 'settle'; readonly id: number }

export type BuilderReport =
  /** The chunk being built covers offsets up to `next`. */
  | ({ readonly type: 'chunk.grew' } & Draft)
  /** It takes nothing in until it is cut. */
  | { readonly type: 'chunk.filled' }
  | { readonly type: 'chunk.cut'; readonly chunk: Chunk }
  /** What was fetched cannot be read; the builder waits for `begin`. */
  | { readonly type: 'builder.faulted'; readonly fault: Fault }

/** The chunk being built. */
export interface Draft {
  /** First offset not taken in yet. */
  readonly next: number
  /** About what its files would have if they were finished now. */
  readonly bytes: number
  readonly memoryBytes: number
  readonly records: number
  /** Data files that are open. */
  readonly files: number
  /** Kafka timestamp of the first record in it, -1 when there is none. */
  readonly firstMs: number
  /** Last stable offset as last seen, -1 before the first fetch. */
  readonly end: number
}

export interface BuilderOptions extends RowBinding {
  readonly budget: ByteBudget
  /** Of the whole sink. */
  readonly openFiles: OpenFiles
  /** A chunk of this size takes nothing in until it is cut. */
  readonly rotateBytes: number
}

/** How records become rows, and where these go. */
export interface RowBinding {
  readonly layout: LayoutOptions
  /** A chunk has at most so many records in its files, and at most so many data files. */
  readonly rotateRecords: number
  readonly filesMax: number
  readonly deadLetters: DeadLetterRate | undefined
  readonly decoder: (input: BuilderInput) => RowDecoder
  readonly file: (columns: RowDecoder['columns']) => TableFile
}

/**
 * Builds the chunks of one topic-partition from what was fetched, and holds their credits: those of a slice until its
 * records are taken in, those of a chunk until it is settled.
 */
export function createBuilder(options: BuilderOptions) {
  return fromTask<void, BuilderInput, BuilderCommand, BuilderReport>(
    async ({ input, signal, report, receive }) => {
      const ended = Promise.withResolvers<void>()
      const builder = new Builder(options, input, report, ended.reject)
      const end = () => {
        builder.end()
        ended.resolve()
      }
      if (signal.aborted) return
      signal.addEventListener('abort', end, { once: true })
      receive((command) => builder.obey(command))
      await ended.promise.finally(end)
    }
  )
}

export interface ChainDrafting extends DraftOptions {
  readonly decoder: RestingDecoder
}

/** What the drafts of one chain have in common. */
export function draftOptions(options: RowBinding, { topic, partition }: BuilderInput): ChainDrafting {
  const { layout, filesMax, rotateRecords: recordsMax, deadLetters } = options
  const decoder = new RestingDecoder(() => options.decoder({ topic, partition }))
  return {
    ...{ topic, partition, decoder, filesMax, recordsMax },
    layout: new Layout(layout, decoder.columns, { topic, partition }),
    file: () => options.file(decoder.columns),
    deadLimit: deadLetters && new DeadLetterLimit(deadLetters)
  }
}

/** Compressed bytes that are taken in before other work gets a turn. */
const TURN_BYTES = 256 * 1024

/** A slice while its batches are taken in. */
interface Work {
  readonly slice: FetchedSlice
  readonly batches: Iterator<Buffer, void>
  readonly filter: AbortedFilter
  /** Cut by the end of the chunk: the rest belongs into the next one. */
  cut: Buffer | undefined
}

class Builder {
  readonly #options: BuilderOptions
  readonly #draftOptions: ChainDrafting
  readonly #report: (event: BuilderReport) => void
  readonly #fail: (error: unknown) => void
  readonly #queue: Work[] = []
  /** Credits of finished chunks by their id. */
  readonly #chunks = new Map<number, Lease>()
  /** Credits of the draft; they grow with it. */
  #leases: Lease[] = []
  #leasedBytes = 0
  /** Open files of the draft that the sink counts. */
  #files = 0
  #draft: ChunkDraft | undefined
  /** Offset after the last slice that was accepted: the next one must begin there. */
  #expected = -1
  #end = -1
  #filled = false
  #closed = false
  #pumping = false
  /** While the decoder cannot go on. */
  #waiting: AbortController | undefined
  #chunkId = 0

  constructor(
    options: BuilderOptions,
    input: BuilderInput,
    report: (event: BuilderReport) => void,
    fail: (error: unknown) => void
  ) {
    this.#options = options
    this.#report = report
    this.#fail = fail
    this.#draftOptions = draftOptions(options, input)
  }

  obey(command: BuilderCommand): void {
    switch (command.type) {
      case 'begin':
        this.#drop()
        this.#expected = command.position
        this.#draftOptions.deadLimit?.reset()
        this.#draft = new ChunkDraft(command.position, this.#draftOptions)
        return
      case 'append':
        this.#append(command.slice)
        return
      case 'cut':
        this.#cut()
        return
      case 'close':
        this.#closed = true
        this.#dropQueue()
        return
      case 'halt':
        this.#drop()
        return
      case 'settle':
        this.#chunks.get(command.id)?.release()
        this.#chunks.delete(command.id)
        return
    }
  }

  end(): void {
    this.#drop()
    for (const lease of this.#chunks.values()) lease.release()
    this.#chunks.clear()
  }

  #append(slice: FetchedSlice): void {
    if (this.#draft === undefined || this.#closed) {
      slice.lease.release()
      return
    }
    if (slice.fetchOffset !== this.#expected) {
      slice.lease.release()
      const what = `fetched from offset ${slice.fetchOffset}, expected ${this.#expected}`
      this.#fault(new Fault('fetch-out-of-order', what, { retryable: true }))
      return
    }
    this.#expected = Math.max(slice.nextOffset, slice.fetchOffset)
    this.#end = slice.lastStableOffset
    const filter = new AbortedFilter(slice.aborted)
    this.#queue.push({
      slice,
      batches: batchesOf(slice.recordSet)[Symbol.iterator](),
      filter,
      cut: undefined
    })
    void this.#pump()
  }

  /** Takes in what is queued until the chunk is full. Only one pump runs; whatever changes the state may start it. */
  async #pump(): Promise<void> {
    if (this.#pumping) return
    this.#pumping = true
    try {
      for (let work = this.#queue[0]; work !== undefined && !this.#filled; work = this.#queue[0]) {
        const progress = this.#draft ? this.#takeTurn(work, this.#draft) : 'more'
        if (progress === 'done') this.#finishSlice(work)
        await (progress === 'pending' ? this.#decoderReady() : turn())
      }
    } catch (error) {
      this.#fault(toFault(error))
    } finally {
      this.#pumping = false
    }
  }

  /** `done` when the slice is used up. */
  #takeTurn(work: Work, draft: ChunkDraft): 'done' | 'more' | 'pending' {
    for (let bytes = 0; bytes < TURN_BYTES; ) {
      const batch = work.cut ?? work.batches.next().value
      if (batch === undefined) return 'done'
      bytes += batch.length
      const header = readHeader(batch, 0)
      // The filter is asked once per batch; one that was cut before had passed it.
      const dropped = work.cut === undefined && (work.filter.isAborted(header) || header.control)
      work.cut = undefined
      if (header.lastOffset < draft.next) continue
      let taken: Taken = 'all'
      if (dropped || header.count <= 0) draft.skip(header)
      else taken = draft.take(batch, header)
      if (taken !== 'all') work.cut = batch
      if (taken === 'full' || draft.isFull || draft.bytes >= this.#options.rotateBytes) {
        this.#fill(draft)
        return 'more'
      }
      if (taken === 'pending') return 'pending'
    }
    return 'more'
  }

  /** What is dropped meanwhile ends the wait. */
  async #decoderReady(): Promise<void> {
    const waiting = new AbortController()
    this.#waiting = waiting
    try {
      await this.#draftOptions.decoder.ready(waiting.signal)
    } catch (error) {
      if (!waiting.signal.aborted) throw error
    } finally {
      this.#waiting = undefined
    }
  }

  #finishSlice({ slice }: Work): void {
    this.#queue.shift()
    this.#lease(this.#draft)
    slice.lease.release()
    if (this.#queue.length === 0) this.#draftOptions.decoder.rest()
    this.#reportDraft()
  }

  #fill(draft: ChunkDraft): void {
    this.#filled = true
    this.#lease(draft)
    this.#reportDraft()
    this.#report({ type: 'chunk.filled' })
  }

  #cut(): void {
    const draft = this.#draft
    if (draft === undefined) return
    const chunk = draft.finish(++this.#chunkId)
    const bytes = chunk.files.reduce((sum, file) => sum + file.bytes, 0)
    this.#chunks.set(chunk.id, this.#options.budget.takeNow(bytes))
    this.#releaseDraft()
    this.#draft = new ChunkDraft(chunk.to, this.#draftOptions)
    this.#filled = false
    this.#report({ type: 'chunk.cut', chunk })
    void this.#pump()
  }

  /** Counts what the draft holds beyond what was counted for it before. */
  #lease(draft: ChunkDraft | undefined): void {
    this.#countFiles(draft?.files ?? 0)
    const more = (draft?.memoryBytes ?? 0) - this.#leasedBytes
    if (more <= 0) return
    this.#leases.push(this.#options.budget.takeNow(more))
    this.#leasedBytes += more
  }

  #countFiles(files: number): void {
    if (files === this.#files) return
    this.#options.openFiles.change(files - this.#files)
    this.#files = files
  }

  #reportDraft(): void {
    const draft = this.#draft
    if (draft === undefined) return
    const { next, bytes, memoryBytes, records, files, firstMs } = draft
    const end = this.#end
    this.#report({ type: 'chunk.grew', next, bytes, memoryBytes, records, files, firstMs, end })
  }

  #fault(fault: Fault): void {
    this.#drop()
    if (fault.code === 'unknown') this.#fail(fault)
    else this.#report({ type: 'builder.faulted', fault })
  }

  #drop(): void {
    this.#dropQueue()
    this.#releaseDraft()
    this.#draft = undefined
    this.#filled = false
  }

  #dropQueue(): void {
    this.#waiting?.abort()
    this.#draftOptions.decoder.rest()
    for (const { slice } of this.#queue.splice(0)) slice.lease.release()
  }

  #releaseDraft(): void {
    this.#countFiles(0)
    for (const lease of this.#leases.splice(0)) lease.release()
    this.#leasedBytes = 0
  }
}
