import { setImmediate as tick } from 'node:timers/promises'
import { probeConditions } from '../../src/actors/store/probe.ts'
import type {
  CreateOutcome,
  DataFile,
  FileStat,
  Leftover,
  LeftoverPrefixes,
  ListedFile,
  ListOptions,
  Preparation,
  PreparedFile,
  Store
} from '../../src/actors/store/store.ts'
import { Faults } from '../../src/embedded/faults.ts'
import { Fault } from '../../src/errors.ts'

interface Stored {
  readonly content: Buffer
  readonly entryId: string | undefined
}

/** The files of a store that several `MemoryStore`s may share, as several processes do. */
export class MemoryFiles {
  readonly visible = new Map<string, Stored>()
  readonly prepared = new Map<string, DataFile & { readonly preparedMs: number }>()
  /** What the store takes for now. */
  nowMs = 0
  uploads = 0
}

/**
 * A `Store` in memory. Its faults are asked with `<method> <path>` (`create log/…`, `publish data/…`); `lose-reply` applies
 * the call and then gives a retryable fault, for `create` the outcome `doubtful`. Every call takes at least one turn of
 * the event loop, so that concurrent callers interleave.
 */
export class MemoryStore implements Store {
  readonly uri = 'memory://test'
  readonly files: MemoryFiles
  readonly faults = new Faults()
  /** Every call in order, as `<method> <path>`. */
  readonly calls: string[] = []
  /** A store that overwrites whatever the condition says. */
  ignoresConditions = false

  constructor(files = new MemoryFiles()) {
    this.files = files
  }

  probe(signal: AbortSignal): Promise<void> {
    return probeConditions(this, `log/v1/probe-${++this.files.uploads}.json`, signal)
  }

  async read(path: string, signal: AbortSignal): Promise<Buffer | undefined> {
    return this.#call('read', path, signal, () => this.files.visible.get(path)?.content)
  }

  async create(path: string, content: Buffer, signal: AbortSignal): Promise<CreateOutcome> {
    try {
      return await this.#call('create', path, signal, () => {
        if (this.files.visible.has(path) && !this.ignoresConditions) return { outcome: 'exists' }
        this.#show(path, content, undefined)
        return { outcome: 'created' }
      })
    } catch (error) {
      if (error instanceof Fault && error.retryable) return { outcome: 'doubtful', fault: error }
      throw error
    }
  }

  async replace(path: string, content: Buffer, signal: AbortSignal): Promise<void> {
    await this.#call('replace', path, signal, () => this.#show(path, content, undefined))
  }

  async stat(path: string, signal: AbortSignal): Promise<FileStat | undefined> {
    return this.#call('stat', path, signal, () => {
      const found = this.files.visible.get(path)
      return found && { bytes: found.content.length, entryId: found.entryId }
    })
  }

  async *list(
    prefix: string,
    { startAfter = '' }: ListOptions,
    signal: AbortSignal
  ): AsyncGenerator<ListedFile> {
    const paths = await this.#call('list', prefix, signal, () => [...this.files.visible.keys()].sort())
    for (const path of paths) {
      const found = this.files.visible.get(path)
      if (found && path.startsWith(prefix) && path > startAfter) yield { path, bytes: found.content.length }
    }
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    await this.#call('remove', path, signal, () => this.files.visible.delete(path))
  }

  async prepare(file: DataFile, signal: AbortSignal): Promise<Preparation> {
    const uploadId = `upload-${++this.files.uploads}`
    try {
      return await this.#call('prepare', file.path, signal, () => {
        this.files.prepared.set(uploadId, { ...file, preparedMs: this.files.nowMs })
        return multipart(file.path, uploadId, file.bytes)
      })
    } catch (error) {
      this.files.prepared.delete(uploadId)
      throw error
    }
  }

  async publish(file: PreparedFile, signal: AbortSignal): Promise<void> {
    const id = uploadOf(file.preparation)
    try {
      await this.#call('publish', file.path, signal, () => {
        const prepared = this.files.prepared.get(id)
        this.files.prepared.delete(id)
        if (prepared) this.#show(file.path, Buffer.concat(prepared.parts), prepared.entryId)
      })
    } catch (error) {
      if (!this.files.visible.has(file.path)) throw error
    }
    const visible = this.files.visible.get(file.path)
    if (!visible) throw new Fault('prepared-gone', `${file.path}: ${id} is gone`)
    if (visible.entryId === file.entryId && visible.content.length === file.bytes) return
    throw new Fault('publish-blocked', `${file.path} is another file`)
  }

  async proveGone(file: PreparedFile, signal: AbortSignal): Promise<boolean> {
    await this.discard(file.preparation, signal)
    const found = await this.stat(file.path, signal)
    if (found === undefined) return true
    if (found.bytes === file.bytes && found.entryId === file.entryId) return false
    throw new Fault('publish-blocked', `${file.path} is another file`)
  }

  async *leftovers(prefixes: LeftoverPrefixes, signal: AbortSignal): AsyncGenerator<Leftover> {
    await this.#call('leftovers', prefixes.data, signal, () => undefined)
    for (const [uploadId, { path, entryId, preparedMs }] of this.files.prepared) {
      const preparation = multipart(path, uploadId, 0)
      if (path.startsWith(prefixes.data)) {
        yield { path: '', entryId, isNameable: true, preparedMs, preparation }
      }
    }
  }

  async discard(preparation: Preparation, signal: AbortSignal): Promise<void> {
    const id = uploadOf(preparation)
    await this.#call('discard', id, signal, () => this.files.prepared.delete(id))
  }

  #show(path: string, content: Buffer, entryId: string | undefined): void {
    this.files.visible.set(path, { content: Buffer.from(content), entryId })
  }

  async #call<R>(method: string, path: string, signal: AbortSignal, effect: () => R): Promise<R> {
    const subject = `${method} ${path}`
    this.calls.push(subject)
    await tick(undefined, { signal })
    const action = this.faults.next(subject)
    const unavailable = (what: string) =>
      new Fault('store-unavailable', `${subject}: ${what}`, { retryable: true })
    if (action?.type === 'fail-before') throw unavailable('refused')
    if (action?.type === 'disk-full') throw new Fault('publish-blocked', `${subject}: over quota`)
    if (action?.type === 'answer')
      throw new Fault(action.error ?? 'store-denied', `${subject}: ${action.code}`)
    if (action?.type === 'hang') return untilAborted(signal)
    const result = effect()
    await tick(undefined, { signal })
    if (action?.type === 'lose-reply') throw unavailable('no reply')
    return result
  }
}

function multipart(key: string, uploadId: string, bytes: number): Preparation {
  const parts = [{ partNumber: 1, etag: `"${uploadId}"`, bytes }]
  return { type: 'multipart', key, uploadId, checksumAlgorithm: 'none', parts }
}

function uploadOf(preparation: Preparation): string {
  return preparation.type === 'multipart' ? preparation.uploadId : preparation.temporary
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
