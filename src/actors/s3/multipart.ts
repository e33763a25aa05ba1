import { createHash } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListPartsCommand,
  type S3Client,
  UploadPartCommand
} from '@aws-sdk/client-s3'
import { Fault } from '../../errors.ts'
import { inParallel } from '../store/parallel.ts'
import type { DataFile, Preparation, UploadedPart } from '../store/store.ts'
import { answerOf } from './faults.ts'
import { describing, type WriteHeaders } from './writing.ts'

/** Where an upload goes, and the headers of what it makes. */
export interface UploadTarget {
  readonly bucket: string
  readonly key: string
  readonly headers?: WriteHeaders['file']
}

export type Upload = Extract<Preparation, { readonly type: 'multipart' }>

/** S3 wants at least 5 MiB for every part but the last, and at most 10,000 parts. */
export const PART_BYTES_MIN = 8 * 1024 * 1024
const PARTS_MAX = 10_000
const PARALLEL_PARTS = 3
const CLEAN_UP_MS = 5_000

interface Part {
  readonly partNumber: number
  readonly body: Buffer
}

/** Uploads all parts and completes nothing, so that nobody sees the object. Gives the upload up when a part fails. */
export async function uploadParts(
  client: S3Client,
  target: UploadTarget,
  file: DataFile,
  signal: AbortSignal
): Promise<Upload> {
  const { bucket: Bucket, key, headers } = target
  const create = new CreateMultipartUploadCommand({
    Bucket,
    Key: key,
    ...headers,
    ...describing(file),
    ChecksumAlgorithm: 'SHA256'
  })
  const { UploadId: uploadId } = await client.send(create, { abortSignal: signal })
  if (uploadId === undefined) throw new Fault('store-refused', `${key}: the upload got no id`)
  try {
    const parts = await inParallel([...partsOf(file)], PARALLEL_PARTS, async ({ partNumber, body }) => {
      const checksum = createHash('sha256').update(body).digest('base64')
      const upload = { Bucket, Key: key, UploadId: uploadId, PartNumber: partNumber, Body: body }
      const command = new UploadPartCommand({
        ...upload,
        ContentLength: body.length,
        ChecksumSHA256: checksum
      })
      const { ETag: etag, ChecksumSHA256: kept } = await client.send(command, { abortSignal: signal })
      if (etag === undefined) throw new Fault('store-refused', `${key}: part ${partNumber} got no ETag`)
      return { partNumber, etag, bytes: body.length, ...(kept !== undefined && { checksum: kept }) }
    })
    return { type: 'multipart', key, uploadId, checksumAlgorithm: algorithmOf(parts), parts }
  } catch (error) {
    await abortUpload(client, Bucket, { key, uploadId }, AbortSignal.timeout(CLEAN_UP_MS)).catch(
      () => undefined
    )
    throw error
  }
}

/** Completes an upload, whoever began it. No `If-None-Match`: the object may be there already, from this very upload. */
export async function completeUpload(
  client: S3Client,
  bucket: string,
  upload: Upload,
  signal: AbortSignal
): Promise<void> {
  const parts = upload.parts.map(({ partNumber, etag, checksum }) => ({
    PartNumber: partNumber,
    ETag: etag,
    ...(checksum !== undefined && { ChecksumSHA256: checksum })
  }))
  const command = new CompleteMultipartUploadCommand({
    Bucket: bucket,
    Key: upload.key,
    UploadId: upload.uploadId,
    MultipartUpload: { Parts: parts }
  })
  await client.send(command, { abortSignal: signal })
}

/** Throws the parts away; an upload that is not there any more is no error. */
export async function abortUpload(
  client: S3Client,
  bucket: string,
  { key, uploadId }: Pick<Upload, 'key' | 'uploadId'>,
  signal: AbortSignal
): Promise<void> {
  const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId })
  try {
    await client.send(command, { abortSignal: signal })
  } catch (error) {
    if (answerOf(error).name !== 'NoSuchUpload') throw error
  }
}

/** Whether the store says that there is no such upload; whatever else it says, the upload may be there. */
export async function isUploadGone(
  client: S3Client,
  bucket: string,
  { key, uploadId }: Pick<Upload, 'key' | 'uploadId'>,
  signal: AbortSignal
): Promise<boolean> {
  const command = new ListPartsCommand({ Bucket: bucket, Key: key, UploadId: uploadId, MaxParts: 1 })
  try {
    await client.send(command, { abortSignal: signal })
    return false
  } catch (error) {
    signal.throwIfAborted()
    return answerOf(error).name === 'NoSuchUpload'
  }
}

/** Uploads below a key prefix that are neither completed nor aborted. Their parts are not told. */
export async function* openUploads(
  client: S3Client,
  bucket: string,
  prefix: string,
  signal: AbortSignal
): AsyncGenerator<{ readonly upload: Upload; readonly initiatedMs: number }> {
  let marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | undefined = {}
  while (marker !== undefined) {
    const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...marker })
    const page: ListMultipartUploadsCommandOutput = await client.send(command, { abortSignal: signal })
    for (const { Key = '', UploadId = '', Initiated } of page.Uploads ?? []) {
      const upload = { type: 'multipart', key: Key, uploadId: UploadId, checksumAlgorithm: 'none' } as const
      const initiatedMs = Initiated?.getTime() ?? Number.POSITIVE_INFINITY
      if (Key.startsWith(prefix)) yield { upload: { ...upload, parts: [] }, initiatedMs }
    }
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page
    marker =
      IsTruncated && NextKeyMarker !== undefined
        ? { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }) }
        : undefined
  }
}

/** The file in slices of equal size, so that a greater file gets greater parts and not too many. */
function* partsOf(file: DataFile): Generator<Part> {
  const partBytes = Math.max(PART_BYTES_MIN, Math.ceil(file.bytes / PARTS_MAX))
  let pending: Buffer[] = []
  let pendingBytes = 0
  let partNumber = 1
  const take = (): Part => {
    const body = pending.length === 1 && pending[0] ? pending[0] : Buffer.concat(pending)
    pending = []
    pendingBytes = 0
    return { partNumber: partNumber++, body }
  }
  for (const part of file.parts) {
    for (let start = 0; start < part.length; ) {
      const end = Math.min(part.length, start + partBytes - pendingBytes)
      pending.push(part.subarray(start, end))
      pendingBytes += end - start
      start = end
      if (pendingBytes === partBytes) yield take()
    }
  }
  if (pendingBytes > 0 || partNumber === 1) yield take()
}

/** Stores without checksums answer none; completing names only what they know. */
function algorithmOf(parts: readonly UploadedPart[]): Upload['checksumAlgorithm'] {
  return parts.every(({ checksum }) => checksum !== undefined) ? 'SHA256' : 'none'
}
