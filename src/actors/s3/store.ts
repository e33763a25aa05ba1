import { randomUUID } from 'node:crypto'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client
} from '@aws-sdk/client-s3'
import type { S3StoreConfig } from '../../config.ts'
import { Fault } from '../../errors.ts'
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
import { AWS, clientOptions, createClient, onServer, type S3ClientOptions } from './client.ts'
import { answerOf, s3Fault } from './faults.ts'
import { abortUpload, completeUpload, isUploadGone, openUploads, uploadParts } from './multipart.ts'
import { copyStaged, STAGING, stage } from './staging.ts'
import {
  demandEncryption,
  ENTRY_METADATA,
  type S3WriteOptions,
  unableTo,
  type WriteHeaders,
  writeHeaders
} from './writing.ts'

export interface S3StoreOptions extends S3ClientOptions, S3WriteOptions {
  readonly bucket: string
  /** Without slashes at its ends; empty for the bucket's root. */
  readonly prefix: string
}

/** The store that `[store.NAME]` with `type = "s3"` describes. */
export function createS3Store(config: S3StoreConfig): S3Store {
  return new S3Store({ ...config, ...clientOptions(config) })
}

const READ_ATTEMPTS = 3

/**
 * A `Store` on S3 and what speaks its protocol. A file becomes visible by completing its multipart upload, which any
 * process can do that knows the parts; on stores that are not AWS, by copying a whole object to its place
 * (`staging.ts` says why). Its entry id stands in the object's metadata. Conditional creation is
 * `If-None-Match: *`.
 *
 * Writes whose answer matters are sent once: a retry inside the SDK of a write that succeeded answers 412, which would look
 * like another writer.
 */
export class S3Store implements Store {
  readonly uri: string
  readonly #bucket: string
  readonly #prefix: string
  readonly #headers: WriteHeaders
  /** Retries by itself: for what can be repeated without a trace. */
  readonly #repeatable: S3Client
  readonly #once: S3Client
  /** As its answers say; undefined before the first, which is the probe's. */
  #server: string | undefined

  constructor(options: S3StoreOptions) {
    this.#bucket = options.bucket
    this.#prefix = options.prefix === '' ? '' : `${options.prefix}/`
    this.#headers = writeHeaders(options)
    this.uri = `s3://${options.bucket}/${options.prefix}`
    this.#repeatable = createClient(options, READ_ATTEMPTS)
    this.#once = createClient(options, 1)
    for (const client of [this.#repeatable, this.#once]) {
      onServer(client, (server) => {
        this.#server = server
      })
    }
  }

  async probe(signal: AbortSignal): Promise<void> {
    await probeConditions(this, `log/v1/probe-${randomUUID()}.json`, signal)
    await this.#probeFile(`${STAGING}/probe-${randomUUID()}`, signal)
  }

  async read(path: string, signal: AbortSignal): Promise<Buffer | undefined> {
    const command = new GetObjectCommand(this.#object(path))
    try {
      const { Body } = await this.#repeatable.send(command, { abortSignal: signal })
      return Buffer.from((await Body?.transformToByteArray()) ?? [])
    } catch (error) {
      signal.throwIfAborted()
      if (answerOf(error).name === 'NoSuchKey') return undefined
      throw s3Fault(error, `GET ${path}`)
    }
  }

  async create(path: string, content: Buffer, signal: AbortSignal): Promise<CreateOutcome> {
    const { log } = this.#headers
    const command = new PutObjectCommand({ ...this.#object(path), ...log, Body: content, IfNoneMatch: '*' })
    try {
      demandEncryption(log, await this.#once.send(command, { abortSignal: signal }), this.uri)
      return { outcome: 'created' }
    } catch (error) {
      signal.throwIfAborted()
      if (answerOf(error).status === 412) return { outcome: 'exists' }
      const fault = s3Fault(error, `PUT ${path}`)
      if (!fault.retryable) throw unableTo(error, log, this.uri) ?? fault
      return { outcome: 'doubtful', fault }
    }
  }

  async replace(path: string, content: Buffer, signal: AbortSignal): Promise<void> {
    const command = new PutObjectCommand({ ...this.#object(path), ...this.#headers.log, Body: content })
    await this.#faulting(`PUT ${path}`, signal, this.#repeatable.send(command, { abortSignal: signal }))
  }

  async stat(path: string, signal: AbortSignal): Promise<FileStat | undefined> {
    const command = new HeadObjectCommand(this.#object(path))
    try {
      const head = await this.#repeatable.send(command, { abortSignal: signal })
      return { bytes: head.ContentLength ?? 0, entryId: head.Metadata?.[ENTRY_METADATA] }
    } catch (error) {
      signal.throwIfAborted()
      if (answerOf(error).status === 404) return undefined
      throw s3Fault(error, `HEAD ${path}`)
    }
  }

  async *list(prefix: string, options: ListOptions, signal: AbortSignal): AsyncGenerator<ListedFile> {
    for await (const { path, bytes } of this.#objects(prefix, options, signal)) yield { path, bytes }
  }

  async *#objects(
    prefix: string,
    { startAfter }: ListOptions,
    signal: AbortSignal
  ): AsyncGenerator<ListedFile & { readonly modifiedMs: number }> {
    let token: string | undefined
    do {
      const command = new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: `${this.#prefix}${prefix}`,
        ...(startAfter !== undefined && { StartAfter: `${this.#prefix}${startAfter}` }),
        ...(token !== undefined && { ContinuationToken: token })
      })
      const sent = this.#repeatable.send(command, { abortSignal: signal })
      const page = await this.#faulting(`LIST ${prefix}`, signal, sent)
      for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
        const modifiedMs = LastModified?.getTime() ?? Number.POSITIVE_INFINITY
        yield { path: Key.slice(this.#prefix.length), bytes: Size, modifiedMs }
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  async remove(path: string, signal: AbortSignal): Promise<void> {
    const command = new DeleteObjectCommand(this.#object(path))
    await this.#faulting(`DELETE ${path}`, signal, this.#repeatable.send(command, { abortSignal: signal }))
  }

  async prepare(file: DataFile, signal: AbortSignal): Promise<Preparation> {
    if (this.#server !== AWS) return await this.#staged(file, signal)
    const target = { bucket: this.#bucket, key: this.#key(file.path), headers: this.#headers.file }
    const uploaded = uploadParts(this.#repeatable, target, file, signal)
    const upload = await this.#faulting(`upload of ${file.path}`, signal, uploaded)
    const bytes = upload.parts.reduce((sum, part) => sum + part.bytes, 0)
    if (bytes === file.bytes) return upload
    throw new Fault('prepared-short', `${file.path}: ${bytes} bytes uploaded, not ${file.bytes}`)
  }

  async publish(file: PreparedFile, signal: AbortSignal): Promise<void> {
    const { preparation } = file
    let failure: unknown
    try {
      if (preparation.type === 'multipart') {
        await completeUpload(this.#once, this.#bucket, preparation, signal)
      } else {
        const target = { bucket: this.#bucket, key: this.#key(file.path), headers: this.#headers.copy }
        await copyStaged(this.#once, this.#key(preparation.temporary), target, file, signal)
      }
    } catch (error) {
      signal.throwIfAborted()
      failure = error
    }
    // Whatever the answer was: a repeated completion is 200 on one store and NoSuchUpload on another.
    const found = await this.stat(file.path, signal)
    if (found?.bytes === file.bytes && found.entryId === file.entryId) {
      // What stays behind is in nobody's way.
      if (preparation.type === 'rename') await this.discard(preparation, signal).catch(() => undefined)
      return
    }
    if (found) {
      const what = `${file.path} holds ${found.bytes} bytes of entry ${found.entryId ?? '(none)'}`
      throw new Fault('publish-blocked', `${what}, expected ${file.bytes} of ${file.entryId}`)
    }
    throw await this.#unpublished(file, failure, signal)
  }

  async proveGone(file: PreparedFile, signal: AbortSignal): Promise<boolean> {
    const { preparation, path } = file
    if (preparation.type === 'multipart') await this.discard(preparation, signal)
    else if (await this.stat(preparation.temporary, signal)) return false
    // Only what is absent after that stays absent: a completion that was slow has landed by now or never will.
    const found = await this.stat(path, signal)
    if (found === undefined) return true
    if (found.bytes === file.bytes && found.entryId === file.entryId) return false
    const what = `${path} holds ${found.bytes} bytes of entry ${found.entryId ?? '(none)'}`
    throw new Fault('publish-blocked', `${what}, expected ${file.bytes} of ${file.entryId}`)
  }

  async *leftovers({ data, dead, chain }: LeftoverPrefixes, signal: AbortSignal): AsyncGenerator<Leftover> {
    for await (const { path, modifiedMs } of this.#objects(`${STAGING}/`, {}, signal)) {
      const entryId = (await this.stat(path, signal))?.entryId
      const preparation = { type: 'rename', temporary: path } as const
      if (entryId?.startsWith(chain)) {
        yield { path: '', entryId, isNameable: true, preparedMs: modifiedMs, preparation }
      }
    }
    for (const prefix of [data, dead, `${STAGING}/`]) {
      const uploads = openUploads(this.#repeatable, this.#bucket, this.#key(prefix), signal)
      for await (const { upload, initiatedMs } of uploads) {
        const path = upload.key.slice(this.#prefix.length)
        // What is staged is named only when it is whole.
        const isNameable = prefix !== `${STAGING}/`
        yield { path, entryId: undefined, isNameable, preparedMs: initiatedMs, preparation: upload }
      }
    }
  }

  async discard(preparation: Preparation, signal: AbortSignal): Promise<void> {
    if (preparation.type === 'rename') return await this.remove(preparation.temporary, signal)
    const aborted = abortUpload(this.#repeatable, this.#bucket, preparation, signal)
    await this.#faulting(`abort of ${preparation.key}`, signal, aborted)
  }

  close(): void {
    this.#repeatable.destroy()
    this.#once.destroy()
  }

  /** A class or tags that the store does not take are found out before there is anything to write. */
  async #probeFile(path: string, signal: AbortSignal): Promise<void> {
    const { file, log } = this.#headers
    if (Object.keys(file).length === Object.keys(log).length) return
    const command = new PutObjectCommand({ ...this.#object(path), ...file, Body: 'x' })
    await this.#faulting(`PUT ${path}`, signal, this.#repeatable.send(command, { abortSignal: signal }))
    await this.remove(path, signal)
  }

  async #staged(file: DataFile, signal: AbortSignal): Promise<Preparation> {
    const temporary = `${STAGING}/${randomUUID()}`
    const target = { bucket: this.#bucket, key: this.#key(temporary), headers: this.#headers.staged }
    await this.#faulting(`upload of ${file.path}`, signal, stage(this.#repeatable, target, file, signal))
    const bytes = (await this.stat(temporary, signal))?.bytes
    if (bytes === file.bytes) return { type: 'rename', temporary }
    throw new Fault('prepared-short', `${file.path}: ${bytes ?? 0} bytes uploaded, not ${file.bytes}`)
  }

  /** Why a file is not there after its completion or copy was asked for. */
  async #unpublished(file: PreparedFile, failure: unknown, signal: AbortSignal): Promise<Fault> {
    if (failure === undefined) {
      const what = `${file.path}: completed, but HEAD does not find it`
      return new Fault('store-unavailable', what, { retryable: true })
    }
    // Not proven gone: another process's completion may still be on its way. So the state is shown and looked at again.
    if (await this.#isGone(file, failure, signal)) {
      return new Fault('prepared-gone', `${file.path} is absent and what was prepared, too`, {
        cause: failure
      })
    }
    const fault = s3Fault(failure, `publication of ${file.path}`)
    if (fault.retryable) return fault
    return new Fault('publish-blocked', fault.message, { cause: failure })
  }

  /** A store may fail over a completion whose upload it does not have: moto answers 500, and so for ever. */
  async #isGone({ preparation }: PreparedFile, failure: unknown, signal: AbortSignal): Promise<boolean> {
    const { name, status } = answerOf(failure)
    if (preparation.type === 'rename') return name === 'NoSuchKey'
    // Parts that are not there are what MinIO makes of an upload whose completion was cut.
    if (name === 'NoSuchUpload' || name === 'InvalidPart') return true
    if (status < 500) return false
    return await isUploadGone(this.#repeatable, this.#bucket, preparation, signal)
  }

  async #faulting<T>(what: string, signal: AbortSignal, answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      signal.throwIfAborted()
      throw s3Fault(error, what)
    }
  }

  #object(path: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: this.#key(path) }
  }

  #key(path: string): string {
    return `${this.#prefix}${path}`
  }
}
