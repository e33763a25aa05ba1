import type { CopyObjectCommandInput, PutObjectCommandInput } from '@aws-sdk/client-s3'
import type { S3StorageClass } from '../../config.ts'
import { Fault } from '../../errors.ts'
import { contentTypeOf } from '../files/content-type.ts'
import type { DataFile } from '../store/store.ts'
import { answerOf } from './faults.ts'

/** How what is written is to be kept. */
export interface S3WriteOptions {
  /** Encryption by the store; its bucket's default when absent. */
  readonly sse?: 's3' | 'kms' | undefined
  /** Of `kms`; AWS' own key when absent. */
  readonly kmsKey?: string | undefined
  /** Of data files and dead letters. */
  readonly storageClass?: S3StorageClass | undefined
  /** Of data files and dead letters. */
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/** Where S3 keeps the entry id: `x-amz-meta-causeway-entry`. */
export const ENTRY_METADATA = 'causeway-entry'

/** What is told of a file's content, whichever way it gets to its place. */
export function describing({ path, entryId }: Pick<DataFile, 'path' | 'entryId'>) {
  return { ContentType: contentTypeOf(path), Metadata: { [ENTRY_METADATA]: entryId } }
}

type Headers = Pick<
  PutObjectCommandInput,
  'ServerSideEncryption' | 'SSEKMSKeyId' | 'StorageClass' | 'Tagging'
>

/**
 * The headers of each kind of write.
 *
 * The log gets the encryption only: rules by tags are not to find it, and classes for what is seldom read are not made for
 * small objects that are read all the time.
 */
export interface WriteHeaders {
  readonly log: Headers
  readonly file: Headers
  /** An object that waits in `staging/` is soon gone: where deleting early costs money, it would cost it for every file. */
  readonly staged: Headers
  /** A copy has its own encryption and class, none of its source's; tags it has, and they are said again all the same. */
  readonly copy: Headers & Pick<CopyObjectCommandInput, 'TaggingDirective'>
}

export function writeHeaders({ sse, kmsKey, storageClass, tags = {} }: S3WriteOptions): WriteHeaders {
  const log: Headers = {
    ...(sse !== undefined && { ServerSideEncryption: sse === 'kms' ? 'aws:kms' : 'AES256' }),
    ...(kmsKey !== undefined && { SSEKMSKeyId: kmsKey })
  }
  const tagging = { Tagging: new URLSearchParams(tags).toString().replaceAll('+', '%20') }
  const staged = { ...log, ...(tagging.Tagging !== '' && tagging) }
  const file = { ...staged, ...(storageClass !== undefined && { StorageClass: storageClass }) }
  return {
    log,
    staged,
    file,
    copy: { ...file, ...(tagging.Tagging !== '' && { TaggingDirective: 'REPLACE' }) }
  }
}

/** Throws `store-without-encryption` when a store has passed over the encryption that was asked for: versitygw does. */
export function demandEncryption(wanted: Headers, got: Headers, uri: string): void {
  if (wanted.ServerSideEncryption === undefined || wanted.ServerSideEncryption === got.ServerSideEncryption)
    return
  throw new Fault('store-without-encryption', `${uri} does not encrypt what sse = … asks it to encrypt`)
}

/**
 * What a store plainly says that it cannot do, when it answers 501 to a conditional write: encrypt (MinIO without a KMS), or
 * look at the condition.
 */
export function unableTo(error: unknown, wanted: Headers, uri: string): Fault | undefined {
  if (answerOf(error).status !== 501) return undefined
  const message = error instanceof Error ? error.message : ''
  if (wanted.ServerSideEncryption !== undefined && /encrypt|KMS/i.test(message)) {
    return new Fault('store-without-encryption', `${uri} cannot encrypt: ${message}`, { cause: error })
  }
  const what = `${uri} does not implement conditional writes (If-None-Match): exactly-once delivery needs them`
  return new Fault('store-without-conditional-writes', what, { cause: error })
}
