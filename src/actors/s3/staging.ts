import { createHash } from 'node:crypto'
import { CopyObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { Fault } from '../../errors.ts'
import type { DataFile } from '../store/store.ts'
import { answerOf } from './faults.ts'
import { abortUpload, completeUpload, PART_BYTES_MIN, type UploadTarget, uploadParts } from './multipart.ts'
import { describing, type WriteHeaders } from './writing.ts'

interface CopyTarget extends UploadTarget {
  readonly headers: WriteHeaders['copy']
}

/** Where objects wait to be copied to their place, below the store's prefix. */
export const STAGING = 'staging'

/**
 * Publication without completing an upload: the whole object waits under a name where nobody looks for data, and is copied
 * to its place. A copy that is cut has happened or has not. That a completion survives being cut is sure of AWS only:
 *
 * - MinIO drops the records of the parts before it makes an object of them, and stops in between when its client is gone.
 *   Half of the completions that were cut left an upload that nobody can complete any more (`InvalidPart`), and no object
 *   (cmd/erasure-multipart.go, `cleanupMultipartPath` before `renameData`).
 * - versitygw that dies while it completes an upload answers 200 to every later completion, and makes no object
 *   (backend/posix/posix.go, "treat as success for idempotency").
 */
export async function stage(
  client: S3Client,
  target: UploadTarget,
  file: DataFile,
  signal: AbortSignal
): Promise<void> {
  if (file.bytes <= PART_BYTES_MIN) return await put(client, target, file, signal)
  const upload = await uploadParts(client, target, file, signal)
  try {
    await completeUpload(client, target.bucket, upload, signal)
  } catch (error) {
    signal.throwIfAborted()
    await abortUpload(client, target.bucket, upload, signal).catch(() => undefined)
    // An earlier try may have been cut, or its reply lost: another upload may do better.
    const isOver = ['InvalidPart', 'NoSuchUpload'].includes(answerOf(error).name)
    throw isOver ? new Fault('store-unavailable', String(error), { cause: error, retryable: true }) : error
  }
}

/**
 * Makes what was staged at the key `from` visible at its place; a second time makes the same object of it. The copy brings
 * its metadata: versitygw reads a source's content first and its metadata afterwards, and where another process that had
 * published the same file removed the source in between, the object would have none, and stand in its own way for ever.
 */
export async function copyStaged(
  client: S3Client,
  from: string,
  { bucket, key, headers }: CopyTarget,
  file: Pick<DataFile, 'path' | 'entryId'>,
  signal: AbortSignal
): Promise<void> {
  const CopySource = [bucket, ...from.split('/')].map(encodeURIComponent).join('/')
  const copy = { ...headers, ...describing(file), MetadataDirective: 'REPLACE' } as const
  const command = new CopyObjectCommand({ Bucket: bucket, Key: key, CopySource, ...copy })
  await client.send(command, { abortSignal: signal })
}

async function put(
  client: S3Client,
  { bucket: Bucket, key: Key, headers }: UploadTarget,
  file: DataFile,
  signal: AbortSignal
): Promise<void> {
  const Body = Buffer.concat(file.parts)
  const command = new PutObjectCommand({
    ...headers,
    ...{ Bucket, Key, Body, ContentLength: Body.length },
    ...describing(file),
    ChecksumSHA256: createHash('sha256').update(Body).digest('base64')
  })
  await client.send(command, { abortSignal: signal })
}
