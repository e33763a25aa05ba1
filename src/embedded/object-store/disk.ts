import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { Journal } from '../journal.ts'
import type { Algorithm } from './checksums.ts'
import type { LifecycleRule } from './expiry.ts'
import { SortedKeys } from './sorted-keys.ts'

/** A file of bytes that never changes once a record names it. */
export interface Blob {
  readonly id: string
  readonly bytes: number
}

export type ChecksumType = 'COMPOSITE' | 'FULL_OBJECT'

/** What checksum an object, part or upload carries; `value` is base64, with `-<parts>` when composite. */
export interface StoredChecksum {
  readonly algorithm: Algorithm
  readonly type: ChecksumType
  readonly value: string
}

/** Name and value of each tag; no name twice. */
export type Tags = readonly (readonly [name: string, value: string])[]

export interface StoredObject {
  readonly bucket: string
  readonly key: string
  readonly bytes: number
  /** Without quotes. */
  readonly etag: string
  readonly modifiedMs: number
  /** Headers given back on GET and HEAD: `content-type` and its like, and `x-amz-meta-*`. */
  readonly headers: Readonly<Record<string, string>>
  /** Headers of how it is kept, as `keeping.ts` has them. */
  readonly keeping?: Readonly<Record<string, string>> | undefined
  readonly tags?: Tags | undefined
  readonly checksum?: StoredChecksum | undefined
  /** The content, in order: one blob, or one per part. */
  readonly blobs: readonly Blob[]
  /** The multipart upload that made this object. */
  readonly uploadId?: string | undefined
}

export interface StoredPart {
  readonly number: number
  readonly etag: string
  readonly modifiedMs: number
  readonly checksum?: StoredChecksum | undefined
  readonly blob: Blob
}

export interface Upload {
  readonly id: string
  readonly bucket: string
  readonly key: string
  readonly initiatedMs: number
  readonly headers: Readonly<Record<string, string>>
  readonly keeping?: Readonly<Record<string, string>> | undefined
  readonly tags?: Tags | undefined
  readonly checksum?: { readonly algorithm: Algorithm; readonly type: ChecksumType } | undefined
}

export interface UploadInProgress extends Upload {
  readonly parts: Map<number, StoredPart>
}

type Entry =
  | { readonly type: 'put'; readonly object: StoredObject }
  | { readonly type: 'delete'; readonly bucket: string; readonly key: string }
  | { readonly type: 'tags'; readonly bucket: string; readonly key: string; readonly tags: Tags }
  | { readonly type: 'lifecycle'; readonly bucket: string; readonly rules: readonly LifecycleRule[] }
  | { readonly type: 'upload'; readonly upload: Upload }
  | { readonly type: 'part'; readonly uploadId: string; readonly part: StoredPart }
  | { readonly type: 'abort'; readonly uploadId: string }

const COMPACT_ENTRIES_MIN = 20_000

/**
 * Everything the store knows, in memory and on disk: blobs as files named by chance, and a journal that says what they
 * are. A blob is written first and named by a journal entry afterwards, so that a death in between leaves only a file that
 * the next start removes. Keys never become file names.
 */
export class Disk {
  readonly #directory: string
  readonly #journal: Journal<Entry>
  readonly #objects = new Map<string, Map<string, StoredObject>>()
  readonly #keys = new Map<string, SortedKeys>()
  readonly #lifecycles = new Map<string, readonly LifecycleRule[]>()
  readonly uploads = new Map<string, UploadInProgress>()

  constructor(dataDir: string, buckets: readonly string[]) {
    this.#directory = join(dataDir, 'blobs')
    mkdirSync(this.#directory, { recursive: true })
    for (const bucket of buckets) this.#addBucket(bucket)
    this.#journal = new Journal<Entry>(join(dataDir, 'journal.ndjson'), (entry) => this.#apply(entry))
    this.#removeUnnamedBlobs()
    this.#compactIfLong()
  }

  get buckets(): string[] {
    return [...this.#keys.keys()].sort()
  }

  /** The keys of a bucket, ascending by the bytes of their UTF-8; `undefined` when there is no such bucket. */
  keys(bucket: string): SortedKeys | undefined {
    return this.#keys.get(bucket)
  }

  object(bucket: string, key: string): StoredObject | undefined {
    return this.#objects.get(bucket)?.get(key)
  }

  put(object: StoredObject): void {
    this.#commit({ type: 'put', object })
  }

  delete(bucket: string, key: string): void {
    if (this.object(bucket, key) !== undefined) this.#commit({ type: 'delete', bucket, key })
  }

  /** Of an object that is there. */
  setTags(bucket: string, key: string, tags: Tags): void {
    this.#commit({ type: 'tags', bucket, key, tags })
  }

  lifecycle(bucket: string): readonly LifecycleRule[] {
    return this.#lifecycles.get(bucket) ?? []
  }

  /** No rules: no lifecycle. */
  setLifecycle(bucket: string, rules: readonly LifecycleRule[]): void {
    this.#commit({ type: 'lifecycle', bucket, rules })
  }

  createUpload(upload: Upload): void {
    this.#commit({ type: 'upload', upload })
  }

  putPart(uploadId: string, part: StoredPart): void {
    this.#commit({ type: 'part', uploadId, part })
  }

  abortUpload(uploadId: string): void {
    this.#commit({ type: 'abort', uploadId })
  }

  /** Streams bytes into a new blob through `fill`; a failure leaves nothing behind. */
  async writeBlob<T>(
    fill: (write: (chunk: Buffer) => Promise<void>) => Promise<T>
  ): Promise<{ readonly blob: Blob; readonly result: T }> {
    const id = randomBytes(12).toString('hex')
    const file = await open(join(this.#directory, id), 'wx')
    let bytes = 0
    try {
      const result = await fill(async (chunk) => {
        await file.writeFile(chunk)
        bytes += chunk.length
      })
      await file.close()
      return { blob: { id, bytes }, result }
    } catch (error) {
      await file.close()
      this.removeBlob({ id, bytes })
      throw error
    }
  }

  removeBlob(blob: Blob): void {
    rmSync(join(this.#directory, blob.id), { force: true })
  }

  /** Bytes `[start, end)` of the blobs put together. The files are opened before this resolves: a later delete does no harm. */
  async read(blobs: readonly Blob[], start: number, end: number): Promise<AsyncIterable<Buffer>> {
    const pieces: { file: FileHandle; from: number; to: number }[] = []
    let offset = 0
    for (const blob of blobs) {
      const [from, to] = [Math.max(start - offset, 0), Math.min(end - offset, blob.bytes)]
      if (from < to) pieces.push({ file: await open(join(this.#directory, blob.id), 'r'), from, to })
      offset += blob.bytes
    }
    return readPieces(pieces)
  }

  close(): void {
    this.#journal.close()
  }

  #commit(entry: Entry): void {
    this.#journal.append(entry)
    for (const blob of this.#apply(entry)) this.removeBlob(blob)
    this.#compactIfLong()
  }

  /** Changes the state in memory and returns the blobs that nothing names any more. */
  #apply(entry: Entry): Blob[] {
    switch (entry.type) {
      case 'put':
        return this.#applyPut(entry.object)
      case 'delete': {
        const old = this.object(entry.bucket, entry.key)
        this.#objects.get(entry.bucket)?.delete(entry.key)
        this.#keys.get(entry.bucket)?.delete(entry.key)
        return [...(old?.blobs ?? [])]
      }
      case 'tags': {
        const object = this.object(entry.bucket, entry.key)
        if (object) this.#objects.get(entry.bucket)?.set(entry.key, { ...object, tags: entry.tags })
        return []
      }
      case 'lifecycle':
        if (entry.rules.length === 0) this.#lifecycles.delete(entry.bucket)
        else this.#lifecycles.set(entry.bucket, entry.rules)
        return []
      case 'upload':
        this.uploads.set(entry.upload.id, { ...entry.upload, parts: new Map() })
        return []
      case 'part': {
        const parts = this.uploads.get(entry.uploadId)?.parts
        const old = parts?.get(entry.part.number)
        parts?.set(entry.part.number, entry.part)
        return old === undefined ? [] : [old.blob]
      }
      case 'abort': {
        const upload = this.uploads.get(entry.uploadId)
        this.uploads.delete(entry.uploadId)
        return [...(upload?.parts.values() ?? [])].map((part) => part.blob)
      }
    }
  }

  /** An object made of an upload takes over the blobs of its parts and ends the upload, in this one step. */
  #applyPut(object: StoredObject): Blob[] {
    const objects = this.#objects.get(object.bucket) ?? this.#addBucket(object.bucket)
    const dropped = [...(objects.get(object.key)?.blobs ?? [])]
    objects.set(object.key, object)
    this.#keys.get(object.bucket)?.add(object.key)
    if (object.uploadId === undefined) return dropped
    const kept = new Set(object.blobs.map((blob) => blob.id))
    for (const part of this.uploads.get(object.uploadId)?.parts.values() ?? []) {
      if (!kept.has(part.blob.id)) dropped.push(part.blob)
    }
    this.uploads.delete(object.uploadId)
    return dropped
  }

  #addBucket(bucket: string): Map<string, StoredObject> {
    const objects = this.#objects.get(bucket) ?? new Map<string, StoredObject>()
    this.#objects.set(bucket, objects)
    if (!this.#keys.has(bucket)) this.#keys.set(bucket, new SortedKeys())
    return objects
  }

  #state(): Entry[] {
    const entries: Entry[] = []
    for (const [bucket, rules] of this.#lifecycles) entries.push({ type: 'lifecycle', bucket, rules })
    for (const objects of this.#objects.values()) {
      for (const object of objects.values()) entries.push({ type: 'put', object })
    }
    for (const { parts, ...upload } of this.uploads.values()) {
      entries.push({ type: 'upload', upload })
      for (const part of parts.values()) entries.push({ type: 'part', uploadId: upload.id, part })
    }
    return entries
  }

  #compactIfLong(): void {
    if (this.#journal.entries < this.#compactAt) return
    const entries = this.#state()
    this.#journal.compact(entries)
    this.#compactAt = Math.max(COMPACT_ENTRIES_MIN, 2 * entries.length)
  }
  #compactAt = COMPACT_ENTRIES_MIN

  #removeUnnamedBlobs(): void {
    const named = new Set<string>()
    for (const entry of this.#state()) {
      if (entry.type === 'put') for (const blob of entry.object.blobs) named.add(blob.id)
      if (entry.type === 'part') named.add(entry.part.blob.id)
    }
    for (const id of readdirSync(this.#directory)) {
      if (!named.has(id)) rmSync(join(this.#directory, id), { force: true })
    }
  }
}

async function* readPieces(
  pieces: readonly { readonly file: FileHandle; readonly from: number; readonly to: number }[]
): AsyncIterable<Buffer> {
  try {
    for (const { file, from, to } of pieces) {
      for (let at = from; at < to; ) {
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(to - at, 256 * 1024)), {
          position: at
        })
        if (bytesRead === 0) throw new Error('blob is shorter than its record')
        at += bytesRead
        yield buffer.subarray(0, bytesRead)
      }
    }
  } finally {
    for (const { file } of pieces) await file.close()
  }
}

/** An opaque id that no client can guess or order by. */
export function newUploadId(): string {
  return createHash('sha256').update(randomBytes(32)).digest('base64url')
}
