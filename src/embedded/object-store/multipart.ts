import { createHash } from 'node:crypto'
import type { Reply } from '../http-service.ts'
import { algorithmNamed, algorithms, startChecksum } from './checksums.ts'
import {
  newUploadId,
  type StoredChecksum,
  type StoredObject,
  type StoredPart,
  type Upload,
  type UploadInProgress
} from './disk.ts'
import { S3Error } from './errors.ts'
import { encryptionHeaders, keeping } from './keeping.ts'
import { expirationHeader } from './lifecycle.ts'
import {
  checksumElement,
  checksumElements,
  checksumHeaders,
  checkWriteConditions,
  header,
  keptHeaders,
  limit,
  type Operation,
  quote,
  unquote,
  xmlReply
} from './operation.ts'
import { receive, receiveText } from './payload.ts'
import { compareUtf8 } from './sorted-keys.ts'
import { taggingHeader } from './tagging.ts'
import { childText, parseXml, type XmlElement } from './xml.ts'

const PARTS_MAX = 10_000
/** Every part but the last must have at least so many bytes (S3 user guide, "multipart upload limits"). */
const PART_BYTES_MIN = 5 * 1024 ** 2

export async function createUpload(operation: Operation): Promise<Reply> {
  const { disk, bucket, key, nowMs } = operation
  const algorithm = algorithmNamed(header(operation, 'x-amz-checksum-algorithm'))
  const type =
    header(operation, 'x-amz-checksum-type') ?? (algorithm === 'crc64nvme' ? 'FULL_OBJECT' : 'COMPOSITE')
  if (type !== 'FULL_OBJECT' && type !== 'COMPOSITE') throw new S3Error('InvalidRequest')
  if (type === 'FULL_OBJECT' && algorithm?.startsWith('sha') === true) {
    throw new S3Error(
      'InvalidRequest',
      `The FULL_OBJECT checksum type cannot be used with the ${algorithm} checksum algorithm.`
    )
  }
  const checksum: Upload['checksum'] = algorithm && { algorithm, type }
  const id = newUploadId()
  const kept = {
    headers: keptHeaders(operation),
    keeping: keeping(operation),
    tags: taggingHeader(operation)
  }
  disk.createUpload({ id, bucket, key, initiatedMs: nowMs, ...kept, checksum })
  return xmlReply(
    'InitiateMultipartUploadResult',
    { Bucket: bucket, Key: key, UploadId: id },
    {
      ...encryptionHeaders(kept.keeping),
      ...(checksum && {
        'x-amz-checksum-algorithm': checksum.algorithm.toUpperCase(),
        'x-amz-checksum-type': checksum.type
      })
    }
  )
}

export async function uploadPart(operation: Operation): Promise<Reply> {
  const { disk, request, authentication, nowMs } = operation
  const number = Number(operation.query.get('partNumber'))
  if (!Number.isInteger(number) || number < 1 || number > PARTS_MAX) {
    throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive')
  }
  const wished = uploadNamed(operation).checksum
  const { blob, result } = await disk.writeBlob((write) =>
    receive(request, authentication, write, wished?.algorithm)
  )
  const part: StoredPart = {
    number,
    etag: result.md5.toString('hex'),
    modifiedMs: nowMs,
    checksum: result.checksum && {
      algorithm: result.checksum.algorithm,
      type: 'FULL_OBJECT',
      value: result.checksum.value.toString('base64')
    },
    blob
  }
  try {
    if (wished !== undefined && part.checksum?.algorithm !== wished.algorithm) {
      throw new S3Error(
        'InvalidRequest',
        `Checksum Type mismatch occurred, expected checksum Type: ${wished.algorithm}`
      )
    }
    disk.putPart(uploadNamed(operation).id, part)
  } catch (error) {
    disk.removeBlob(blob)
    throw error
  }
  const { 'x-amz-checksum-type': _, ...checksum } = checksumHeaders(part.checksum)
  return { status: 200, headers: { etag: quote(part.etag), ...checksum } }
}

/**
 * Complete, all or nothing: the object takes over the parts' blobs and the upload ends in one journal entry. On a failed
 * condition the upload stays, as on S3, for its owner to abort.
 */
export async function completeUpload(operation: Operation): Promise<Reply> {
  const { disk, bucket, key, nowMs } = operation
  const body = parseXml(await receiveText(operation.request, operation.authentication))
  if (body?.name !== 'CompleteMultipartUpload') throw new S3Error('MalformedXML')
  const repeated = madeBefore(operation)
  if (repeated !== undefined) return completed(operation, repeated)
  const parts = chosenParts(body, uploadNamed(operation))
  const checksum = await objectChecksum(operation, parts)
  const upload = uploadNamed(operation)
  checkWriteConditions(operation)
  const object: StoredObject = {
    bucket,
    key,
    bytes: parts.reduce((sum, part) => sum + part.blob.bytes, 0),
    etag: multipartEtag(parts),
    modifiedMs: nowMs,
    headers: upload.headers,
    keeping: upload.keeping,
    tags: upload.tags,
    checksum,
    blobs: parts.map((part) => part.blob),
    uploadId: upload.id
  }
  disk.put(object)
  return completed(operation, object)
}

export async function abortUpload(operation: Operation): Promise<Reply> {
  operation.disk.abortUpload(uploadNamed(operation).id)
  return { status: 204 }
}

export async function listParts(operation: Operation): Promise<Reply> {
  const upload = uploadNamed(operation)
  const marker = Number(operation.query.get('part-number-marker') ?? 0)
  const maxParts = limit(operation, 'max-parts', 1000)
  const rest = [...upload.parts.values()]
    .sort((a, b) => a.number - b.number)
    .filter((part) => part.number > marker)
  const page = rest.slice(0, maxParts)
  return xmlReply('ListPartsResult', {
    Bucket: upload.bucket,
    Key: upload.key,
    UploadId: upload.id,
    PartNumberMarker: marker,
    NextPartNumberMarker: page.at(-1)?.number ?? 0,
    MaxParts: maxParts,
    IsTruncated: page.length < rest.length,
    ChecksumAlgorithm: upload.checksum?.algorithm.toUpperCase(),
    ChecksumType: upload.checksum?.type,
    Part: page.map((part) => ({
      PartNumber: part.number,
      LastModified: new Date(part.modifiedMs).toISOString(),
      ETag: quote(part.etag),
      Size: part.blob.bytes,
      ...(part.checksum && { [checksumElement(part.checksum.algorithm)]: part.checksum.value })
    }))
  })
}

export async function listUploads(operation: Operation): Promise<Reply> {
  const { disk, bucket, query } = operation
  const prefix = query.get('prefix') ?? ''
  const [keyMarker, idMarker] = [query.get('key-marker') ?? '', query.get('upload-id-marker') ?? '']
  const maxUploads = limit(operation, 'max-uploads', 1000)
  const isAfter = (upload: UploadInProgress) => {
    const order = compareUtf8(upload.key, keyMarker)
    return order > 0 || (order === 0 && idMarker !== '' && upload.id > idMarker)
  }
  const rest = [...disk.uploads.values()]
    .filter((upload) => upload.bucket === bucket && upload.key.startsWith(prefix) && isAfter(upload))
    .sort((a, b) => compareUtf8(a.key, b.key) || compareUtf8(a.id, b.id))
  const page = rest.slice(0, maxUploads)
  return xmlReply('ListMultipartUploadsResult', {
    Bucket: bucket,
    KeyMarker: keyMarker,
    UploadIdMarker: idMarker,
    ...(page.length < rest.length
      ? { NextKeyMarker: page.at(-1)?.key, NextUploadIdMarker: page.at(-1)?.id }
      : {}),
    Prefix: prefix,
    MaxUploads: maxUploads,
    IsTruncated: page.length < rest.length,
    Upload: page.map((upload) => ({
      Key: upload.key,
      UploadId: upload.id,
      StorageClass: 'STANDARD',
      Initiated: new Date(upload.initiatedMs).toISOString(),
      ChecksumAlgorithm: upload.checksum?.algorithm.toUpperCase()
    }))
  })
}

function uploadNamed(operation: Operation): UploadInProgress {
  const upload = operation.disk.uploads.get(operation.query.get('uploadId') ?? '')
  if (upload?.bucket !== operation.bucket || upload.key !== operation.key) throw new S3Error('NoSuchUpload')
  return upload
}

function madeBefore(operation: Operation): StoredObject | undefined {
  if (operation.manners.repeatedComplete === 'NoSuchUpload') return undefined
  const object = operation.disk.object(operation.bucket, operation.key)
  return object?.uploadId === operation.query.get('uploadId') ? object : undefined
}

function completed(operation: Operation, object: StoredObject): Reply {
  const result = {
    Location: `http://${header(operation, 'host')}/${object.bucket}/${encodeURI(object.key)}`,
    Bucket: object.bucket,
    Key: object.key,
    ETag: quote(object.etag),
    ...checksumElements(object.checksum)
  }
  return xmlReply('CompleteMultipartUploadResult', result, expirationHeader(operation, object))
}

/** The parts that a Complete names, after every check that S3 makes of them. */
function chosenParts(body: XmlElement, upload: UploadInProgress): StoredPart[] {
  const named = body.children.filter((child) => child.name === 'Part')
  if (named.length === 0) throw new S3Error('MalformedXML')
  const parts = named.map((element) => chosenPart(element, upload))
  for (const [index, part] of parts.entries()) {
    const next = parts[index + 1]
    if (next !== undefined && next.number <= part.number) throw new S3Error('InvalidPartOrder')
    if (next !== undefined && part.blob.bytes < PART_BYTES_MIN) {
      throw new S3Error('EntityTooSmall', undefined, {
        ETag: part.etag,
        MinSizeAllowed: String(PART_BYTES_MIN),
        ProposedSize: String(part.blob.bytes),
        PartNumber: String(part.number)
      })
    }
  }
  return parts
}

function chosenPart(element: XmlElement, upload: UploadInProgress): StoredPart {
  const number = Number(childText(element, 'PartNumber'))
  const part = upload.parts.get(number)
  if (part === undefined || unquote(childText(element, 'ETag') ?? '') !== part.etag) {
    throw new S3Error('InvalidPart', undefined, { UploadId: upload.id, PartNumber: String(number) })
  }
  const claimed = algorithms
    .map((algorithm) => ({ algorithm, value: childText(element, checksumElement(algorithm)) }))
    .find(({ value }) => value !== undefined)
  const { checksum } = upload
  if (checksum?.type === 'COMPOSITE' && claimed === undefined) {
    throw new S3Error(
      'InvalidRequest',
      `The upload was created using a ${checksum.algorithm} checksum. The complete request must include the checksum for each part. It was missing for part ${number} in the request.`
    )
  }
  const differs = claimed?.algorithm === part.checksum?.algorithm && claimed?.value !== part.checksum?.value
  if (claimed !== undefined && differs)
    throw new S3Error('InvalidPart', undefined, { PartNumber: String(number) })
  return part
}

function multipartEtag(parts: readonly StoredPart[]): string {
  const md5 = createHash('md5')
  for (const part of parts) md5.update(Buffer.from(part.etag, 'hex'))
  return `${md5.digest('hex')}-${parts.length}`
}

/** Composite: the checksum of the parts' checksums; full object: that of all bytes, read again. */
async function objectChecksum(
  operation: Operation,
  parts: readonly StoredPart[]
): Promise<StoredChecksum | undefined> {
  const wished = uploadNamed(operation).checksum
  if (wished === undefined) return undefined
  const { algorithm, type } = wished
  const running = startChecksum(algorithm)
  if (type === 'COMPOSITE') {
    for (const part of parts) running.update(Buffer.from(part.checksum?.value ?? '', 'base64'))
    return { algorithm, type, value: `${running.digest().toString('base64')}-${parts.length}` }
  }
  const blobs = parts.map((part) => part.blob)
  const bytes = blobs.reduce((sum, blob) => sum + blob.bytes, 0)
  for await (const chunk of await operation.disk.read(blobs, 0, bytes)) running.update(chunk)
  const value = running.digest().toString('base64')
  const claimed = header(operation, `x-amz-checksum-${algorithm}`)
  if (claimed !== undefined && claimed !== value) throw new S3Error('BadDigest')
  return { algorithm, type, value }
}
