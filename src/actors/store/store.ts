import type { Fault } from '../../errors.ts'

/**
 * What a sink needs of a place that keeps files. Two backends implement it (`actors/hdfs/store.ts`,
 * `actors/s3/store.ts`) and one conformance suite runs over both. Paths are relative to the store's root, with `/`
 * between segments and no leading slash; the caller has encoded every name that came from outside (`names.ts`).
 *
 * Methods reject with a `Fault`. A retryable fault leaves the outcome *unknown*: the caller looks at the durable
 * truth (`read`, `stat`) before it decides anything.
 */
export interface Store {
  /** Names the store in errors, logs and entries, without credentials: `s3://bucket/prefix`, `hdfs://host/path`. */
  readonly uri: string

  /**
   * Proves that conditional creation works: of two creations of one fresh key the first succeeds and the second is
   * refused. Rejects with `store-without-conditional-writes` where it does not, because some stores ignore the
   * condition silently.
   */
  probe(signal: AbortSignal): Promise<void>

  /** The whole content of a small file, or `undefined` when the store says that it is absent (never on a doubt). */
  read(path: string, signal: AbortSignal): Promise<Buffer | undefined>

  /** Creates a small file unless the path exists: the linearization point of the commit log. */
  create(path: string, content: Buffer, signal: AbortSignal): Promise<CreateOutcome>

  /** Writes a small file whether or not it exists. Only hints (`head.json`) are written so. */
  replace(path: string, content: Buffer, signal: AbortSignal): Promise<void>

  /** Size and entry id of a published file, or `undefined` when it is absent. */
  stat(path: string, signal: AbortSignal): Promise<FileStat | undefined>

  /** Files below `prefix` whose path sorts after `startAfter`, ascending by bytes of the path, in pages. */
  list(prefix: string, options: ListOptions, signal: AbortSignal): AsyncIterable<ListedFile>

  /** Removes one file; an absent one is no error. */
  remove(path: string, signal: AbortSignal): Promise<void>

  /** Uploads a whole data file so that no reader of the data prefix sees it, and verifies its length. */
  prepare(file: DataFile, signal: AbortSignal): Promise<Preparation>

  /**
   * Makes a prepared file visible at its final path. Idempotent and callable by any process that has read the
   * preparation from an entry. Whatever the store answered, `stat` decides: size and entry id must match.
   * Rejects with `publish-blocked` (not retryable) when refused for good, with `prepared-gone` when neither the prepared
   * bytes nor the final file exist.
   */
  publish(file: PreparedFile, signal: AbortSignal): Promise<void>

  /**
   * After `publish` said `prepared-gone`: whether what was prepared is gone for good, so that no publication of another
   * process that is still under way can make the file visible. Gives the prepared bytes up, or sees that they are absent,
   * and only then looks at the final path. False when the file is there or can still be published. Rejects with
   * `publish-blocked` when another file stands there.
   */
  proveGone(file: PreparedFile, signal: AbortSignal): Promise<boolean>

  /**
   * What was prepared below these prefixes and is still there, whoever prepared it and whether or not it was published
   * since. Temporary files of the log count, too.
   */
  leftovers(prefixes: LeftoverPrefixes, signal: AbortSignal): AsyncIterable<Leftover>

  /** Gives up bytes that this process prepared and no entry names. */
  discard(preparation: Preparation, signal: AbortSignal): Promise<void>
}

/** `doubtful`: the store did not say clearly; the caller reads the path back and compares nonces. */
export type CreateOutcome =
  | { readonly outcome: 'created' }
  | { readonly outcome: 'exists' }
  | { readonly outcome: 'doubtful'; readonly fault: Fault }

export interface FileStat {
  /** Size in bytes. */
  readonly bytes: number
  /** The entry id the file was prepared for; `undefined` on stores that keep no metadata (HDFS). */
  readonly entryId: string | undefined
}

export interface ListOptions {
  readonly startAfter?: string
}

export interface ListedFile {
  readonly path: string
  readonly bytes: number
}

/** A finished file in memory, on its way into the store. */
export interface DataFile {
  /** Final path, relative to the store's root. */
  readonly path: string
  /** The content in order; never changed after it was handed over. */
  readonly parts: readonly Buffer[]
  /** Sum of the parts' lengths in bytes. */
  readonly bytes: number
  /** `<chain>/<from>-<nonce>`: written into the object's metadata where the store has such. */
  readonly entryId: string
  /** Keeps this attempt's bytes apart from others for the same path, where the path does not. */
  readonly attempt?: string
}

/** Whose leftovers are meant. All end with `/`. */
export interface LeftoverPrefixes {
  readonly data: string
  readonly dead: string
  readonly log: string
  /** What the entry ids of this sink begin with. */
  readonly chain: string
}

/** Bytes that wait to be published, or for nothing. */
export interface Leftover {
  /** Final path of the file as far as it is known, else empty: `entryId` is there then. */
  readonly path: string
  readonly entryId: string | undefined
  /** Whether an entry can name it: one names only what is whole. */
  readonly isNameable: boolean
  /** When it was prepared, milliseconds since 1970. */
  readonly preparedMs: number
  /** For `discard`. */
  readonly preparation: Preparation
}

/** How to publish a prepared file; stands in the entry as it is, so that another process can do it. */
export type Preparation =
  | {
      readonly type: 'rename'
      /** The dot-file in the final directory; on S3, where nothing can be renamed, the object that is copied. */
      readonly temporary: string
    }
  | {
      readonly type: 'multipart'
      readonly key: string
      readonly uploadId: string
      readonly checksumAlgorithm: 'SHA256' | 'CRC32' | 'none'
      readonly parts: readonly UploadedPart[]
    }

export interface UploadedPart {
  readonly partNumber: number
  readonly etag: string
  readonly checksum?: string
  readonly bytes: number
}

export interface PreparedFile {
  readonly path: string
  readonly bytes: number
  readonly entryId: string
  readonly preparation: Preparation
}
