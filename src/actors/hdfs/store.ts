import { randomUUID } from 'node:crypto'
import type { HdfsStoreConfig } from '../../config.ts'
import { Fault, toFault } from '../../errors.ts'
import { probeConditions } from '../store/probe.ts'
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
} from '../store/store.ts'
import { type HdfsStatus, WebHdfs } from './webhdfs.ts'

export interface HdfsStoreOptions {
  /** WebHDFS base URLs without a trailing slash. */
  readonly namenodes: readonly string[]
  /** Absolute directory: the store's root. */
  readonly path: string
  readonly user?: string | undefined
  readonly delegationToken?: string | undefined
  readonly timeoutMs?: number
}

/** The store that `[store.NAME]` with `type = "hdfs"` describes. */
export function createHdfsStore(config: HdfsStoreConfig): HdfsStore {
  return new HdfsStore({ ...config, delegationToken: config.delegationToken?.reveal() })
}

/** Files are immutable once they are there: nobody may append to them. */
const PERMISSION = '444'
const CLEAN_UP_MS = 5_000

/**
 * A `Store` on HDFS over WebHDFS. Whole files appear by RENAME: a dot-file in the final directory, which has the same
 * quota, encryption zone and mount, becomes the file. RENAME with `renameoptions=NONE` refuses an existing target, which
 * makes it the conditional creation too. HDFS keeps no metadata, so a file is known by its path (it holds the nonce) and
 * its length.
 */
export class HdfsStore implements Store {
  readonly uri: string
  readonly #hdfs: WebHdfs
  readonly #root: string

  constructor({ path, ...options }: HdfsStoreOptions) {
    this.#root = path === '/' ? '' : path
    const host = options.namenodes.map((url) => new URL(url).host).join(',')
    this.uri = `hdfs://${host}${this.#root}`
    this.#hdfs = new WebHdfs({ user: undefined, ...options })
  }

  probe(signal: AbortSignal): Promise<void> {
    return probeConditions(this, `log/v1/probe-${randomUUID()}.json`, signal)
  }

  read(path: string, signal: AbortSignal): Promise<Buffer | undefined> {
    return this.#hdfs.open(this.#at(path), signal)
  }

  async create(path: string, content: Buffer, signal: AbortSignal): Promise<CreateOutcome> {
    const temporary = temporaryOf(path)
    try {
      await this.#hdfs.create(this.#at(temporary), [content], PERMISSION, signal)
      if (await this.#hdfs.rename(this.#at(temporary), this.#at(path), 'NONE', signal)) {
        return { outcome: 'created' }
      }
      // HttpFS knows no options: its plain RENAME answers false for an existing target, and for other reasons.
      if (await this.stat(path, signal)) return this.#refused(temporary, signal)
    } catch (error) {
      const fault = toFault(error)
      if (fault.code === 'hdfs-exists') return this.#refused(temporary, signal)
      // The temporary is missing: an earlier try of this very RENAME may have moved it.
      if (!fault.retryable && fault.code !== 'hdfs-not-found') throw error
      return { outcome: 'doubtful', fault }
    }
    const fault = new Fault('store-unavailable', `${path}: RENAME answered false`, { retryable: true })
    return { outcome: 'doubtful', fault }
  }

  async replace(path: string, content: Buffer, signal: AbortSignal): Promise<void> {
    const temporary = temporaryOf(path)
    await this.#hdfs.create(this.#at(temporary), [content], PERMISSION, signal)
    if (await this.#hdfs.rename(this.#at(temporary), this.#at(path), 'OVERWRITE', signal)) return
    // HttpFS knows no options: its plain RENAME refuses an existing target.
    await this.#hdfs.delete(this.#at(path), signal)
    if (await this.#hdfs.rename(this.#at(temporary), this.#at(path), 'OVERWRITE', signal)) return
    throw new Fault('store-unavailable', `${path}: RENAME answered false`, { retryable: true })
  }

  async stat(path: string, signal: AbortSignal): Promise<FileStat | undefined> {
    const status = await this.#hdfs.status(this.#at(path), signal)
    return status?.type === 'FILE' ? { bytes: status.bytes, entryId: undefined } : undefined
  }

  async *list(
    prefix: string,
    { startAfter = '' }: ListOptions,
    signal: AbortSignal
  ): AsyncGenerator<ListedFile> {
    const directory = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    for await (const file of this.#walk(directory, prefix, startAfter, signal)) {
      if (file.path.startsWith(prefix) && file.path > startAfter) yield file
    }
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    await this.#hdfs.delete(this.#at(path), signal)
  }

  async prepare(file: DataFile, signal: AbortSignal): Promise<Preparation> {
    const slash = file.path.lastIndexOf('/') + 1
    const attempt = file.attempt === undefined ? '' : `.${file.attempt}`
    const temporary = `${file.path.slice(0, slash)}.${file.path.slice(slash)}${attempt}`
    try {
      await this.#hdfs.create(this.#at(temporary), file.parts, PERMISSION, signal)
      await this.#checkLength(temporary, file.bytes, signal)
    } catch (error) {
      // No entry names it yet; if the removal fails too, the file stays hidden.
      const cleanUp = AbortSignal.timeout(CLEAN_UP_MS)
      await this.#hdfs.delete(this.#at(temporary), cleanUp).catch(() => undefined)
      throw error
    }
    return { type: 'rename', temporary }
  }

  async publish(file: PreparedFile, signal: AbortSignal): Promise<void> {
    const temporary = temporaryIn(file.preparation)
    let fault = new Fault('store-unavailable', `${file.path}: RENAME answered false`, { retryable: true })
    try {
      await this.#hdfs.rename(this.#at(temporary), this.#at(file.path), 'NONE', signal)
    } catch (error) {
      signal.throwIfAborted()
      fault = toFault(error)
    }
    if (await this.#isPublished(file, signal)) return
    await this.#checkPrepared(file, temporary, signal)
    if (!fault.retryable && fault.code !== 'hdfs-not-found') {
      throw new Fault('publish-blocked', `${file.path}: ${fault.message}`, { cause: fault })
    }
    throw new Fault('store-unavailable', `${file.path}: ${fault.message}`, { cause: fault, retryable: true })
  }

  async proveGone(file: PreparedFile, signal: AbortSignal): Promise<boolean> {
    if (await this.stat(temporaryIn(file.preparation), signal)) return false
    return !(await this.#isPublished(file, signal))
  }

  async *leftovers({ data, dead, log }: LeftoverPrefixes, signal: AbortSignal): AsyncGenerator<Leftover> {
    for (const directory of [data, dead, log]) {
      // Those of the log are renamed by who wrote them, or never.
      for await (const found of this.#hidden(directory, signal))
        yield { ...found, isNameable: directory !== log }
    }
  }

  async discard(preparation: Preparation, signal: AbortSignal): Promise<void> {
    await this.#hdfs.delete(this.#at(temporaryIn(preparation)), signal)
  }

  close(): void {
    this.#hdfs.close()
  }

  /** A cut upload leaves a closed, shorter file. */
  async #checkLength(path: string, bytes: number, signal: AbortSignal): Promise<void> {
    const found = await this.stat(path, signal)
    if (found?.bytes === bytes) return
    throw new Fault('prepared-short', `${path} has ${found?.bytes ?? 'no'} bytes, not ${bytes}`, {
      retryable: true
    })
  }

  async #refused(temporary: string, signal: AbortSignal): Promise<CreateOutcome> {
    // A leftover of this kind harms nobody: the answer does not wait for its removal to succeed.
    await this.#hdfs.delete(this.#at(temporary), signal).catch(() => undefined)
    return { outcome: 'exists' }
  }

  async #isPublished(file: PreparedFile, signal: AbortSignal): Promise<boolean> {
    const status = await this.stat(file.path, signal)
    if (status === undefined) return false
    if (status.bytes === file.bytes) return true
    throw new Fault('publish-blocked', `${file.path} has ${status.bytes} bytes, the entry says ${file.bytes}`)
  }

  /** Gone is only what is absent before a look at the final path says absent: a RENAME may come in between. */
  async #checkPrepared(file: PreparedFile, temporary: string, signal: AbortSignal): Promise<void> {
    if (await this.stat(temporary, signal)) return
    if (await this.#isPublished(file, signal)) return
    throw new Fault('prepared-gone', `${file.path} is absent and ${temporary} too`)
  }

  /** Files of a directory and below, in the order of their paths' bytes; hidden ones are no files of the store. */
  async *#walk(
    directory: string,
    prefix: string,
    startAfter: string,
    signal: AbortSignal
  ): AsyncGenerator<ListedFile> {
    const statuses = await this.#hdfs.list(this.#at(directory.replace(/\/$/, '')), signal)
    const keyed = statuses
      .filter(({ name }) => !name.startsWith('.'))
      .map((status) => ({
        ...status,
        path: `${directory}${status.name}${status.type === 'DIRECTORY' ? '/' : ''}`
      }))
      .sort(byPath)
    for (const { type, path, bytes } of keyed) {
      if (type === 'FILE') yield { path, bytes }
      else if (reaches(path, prefix, startAfter)) yield* this.#walk(path, prefix, startAfter, signal)
    }
  }

  /** Dot-files below a directory; their names are those of their files. */
  async *#hidden(directory: string, signal: AbortSignal): AsyncGenerator<Omit<Leftover, 'isNameable'>> {
    for (const { name, type, modifiedMs } of await this.#hdfs.list(
      this.#at(directory.slice(0, -1)),
      signal
    )) {
      if (type === 'DIRECTORY') yield* this.#hidden(`${directory}${name}/`, signal)
      else if (name.startsWith('.')) {
        // A repair's has its attempt behind the extension.
        const path = `${directory}${name.slice(1).replace(/(\.[a-z.]+)\.[0-9a-f]+$/, '$1')}`
        const preparation = { type: 'rename', temporary: `${directory}${name}` } as const
        yield { path, entryId: undefined, preparedMs: modifiedMs, preparation }
      }
    }
  }

  #at(path: string): string {
    return path === '' ? this.#root || '/' : `${this.#root}/${path}`
  }
}

function byPath(a: HdfsStatus & { readonly path: string }, b: { readonly path: string }): number {
  return Buffer.compare(Buffer.from(a.path), Buffer.from(b.path))
}

/** Whether a directory (its path ends with `/`) can hold what a listing asks for. */
function reaches(directory: string, prefix: string, startAfter: string): boolean {
  const fits = directory.startsWith(prefix) || prefix.startsWith(directory)
  return fits && (startAfter.startsWith(directory) || directory > startAfter)
}

/** A name of its own for each write, hidden, beside the final path. */
function temporaryOf(path: string): string {
  const slash = path.lastIndexOf('/') + 1
  return `${path.slice(0, slash)}.${path.slice(slash)}.${randomUUID()}`
}

function temporaryIn(preparation: Preparation): string {
  if (preparation.type === 'rename') return preparation.temporary
  throw new Fault('log-corrupt', `an HDFS store cannot publish the upload ${preparation.uploadId}`)
}
