import type { Reply } from '../http-service.ts'
import type { StoredObject } from './disk.ts'
import { S3Error } from './errors.ts'
import { encryptionHeaders, keeping } from './keeping.ts'
import { expirationHeader } from './lifecycle.ts'
import {
  checksumElements,
  checksumHeaders,
  checkWriteConditions,
  existing,
  header,
  keptHeaders,
  type Operation,
  quote,
  unquote,
  xmlReply
} from './operation.ts'
import { receive, receiveText } from './payload.ts'
import { decode } from './signature.ts'
import { taggingHeader, tagHeaders } from './tagging.ts'
import { childText, parseXml } from './xml.ts'

export async function putObject(operation: Operation): Promise<Reply> {
  const { disk, request, authentication, bucket, key, nowMs } = operation
  const tags = taggingHeader(operation)
  const kept = keeping(operation)
  const { blob, result } = await disk.writeBlob((write) => receive(request, authentication, write))
  const object: StoredObject = {
    bucket,
    key,
    bytes: blob.bytes,
    etag: result.md5.toString('hex'),
    modifiedMs: nowMs,
    headers: keptHeaders(operation),
    keeping: kept,
    tags,
    checksum: result.checksum && {
      algorithm: result.checksum.algorithm,
      type: 'FULL_OBJECT',
      value: result.checksum.value.toString('base64')
    },
    blobs: [blob]
  }
  putOrDiscard(operation, object)
  const headers = {
    etag: quote(object.etag),
    ...encryptionHeaders(kept),
    ...checksumHeaders(object.checksum),
    ...expirationHeader(operation, object)
  }
  return { status: 200, headers }
}

export async function copyObject(operation: Operation): Promise<Reply> {
  const { disk, bucket, key, nowMs } = operation
  const source = copySource(operation)
  const ownKeeping = keeping(operation)
  const content = await disk.read(source.blobs, 0, source.bytes)
  const { blob } = await disk.writeBlob(async (write) => {
    for await (const chunk of content) await write(chunk)
  })
  const replaces = (what: string) => header(operation, `x-amz-${what}-directive`) === 'REPLACE'
  const { uploadId: _, ...kept } = source
  const object: StoredObject = {
    ...kept,
    ...{ bucket, key, modifiedMs: nowMs, blobs: [blob], keeping: ownKeeping },
    ...(replaces('metadata') && { headers: keptHeaders(operation) }),
    ...(replaces('tagging') && { tags: taggingHeader(operation) })
  }
  putOrDiscard(operation, object)
  const result = {
    ETag: quote(object.etag),
    LastModified: new Date(nowMs).toISOString(),
    ...checksumElements(object.checksum)
  }
  return xmlReply('CopyObjectResult', result, encryptionHeaders(ownKeeping))
}

/** GET and HEAD: for HEAD the body is left out, the headers are the same. */
export async function getObject(operation: Operation): Promise<Reply> {
  const object = existing(operation)
  const notModified = checkReadConditions(operation, object)
  const range = notModified ? undefined : rangeOf(header(operation, 'range'), object.bytes)
  const [start, end] = range ?? [0, object.bytes]
  const whole = range === undefined && header(operation, 'x-amz-checksum-mode') === 'ENABLED'
  const headers = {
    'content-type': 'binary/octet-stream',
    ...object.headers,
    ...object.keeping,
    etag: quote(object.etag),
    'last-modified': new Date(object.modifiedMs).toUTCString(),
    'accept-ranges': 'bytes',
    ...(whole ? checksumHeaders(object.checksum) : {}),
    ...tagHeaders(object.tags),
    ...expirationHeader(operation, object),
    ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${object.bytes}` })
  }
  if (notModified) return { status: 304, headers }
  const status = range === undefined ? 200 : 206
  const sized = { ...headers, 'content-length': String(end - start) }
  if (operation.request.method === 'HEAD') return { status, headers: sized }
  return { status, headers: sized, body: await operation.disk.read(object.blobs, start, end) }
}

export async function deleteObject(operation: Operation): Promise<Reply> {
  const ifMatch = header(operation, 'if-match')
  const object = operation.disk.object(operation.bucket, operation.key)
  if (ifMatch !== undefined && !operation.manners.ignoreConditions && object !== undefined) {
    if (ifMatch !== '*' && unquote(ifMatch) !== object.etag) throw new S3Error('PreconditionFailed')
  }
  operation.disk.delete(operation.bucket, operation.key)
  return { status: 204 }
}

export async function deleteObjects(operation: Operation): Promise<Reply> {
  const root = parseXml(await receiveText(operation.request, operation.authentication))
  const named = root?.children.filter((child) => child.name === 'Object') ?? []
  if (root?.name !== 'Delete' || named.length === 0 || named.length > 1000) throw new S3Error('MalformedXML')
  const keys = named.map((child) => childText(child, 'Key') ?? '')
  if (keys.includes('')) throw new S3Error('MalformedXML')
  for (const key of keys) operation.disk.delete(operation.bucket, key)
  const quiet = childText(root, 'Quiet') === 'true'
  return xmlReply('DeleteResult', { Deleted: quiet ? [] : keys.map((Key) => ({ Key })) })
}

/** The check of the conditions and the write are one synchronous step. */
function putOrDiscard(operation: Operation, object: StoredObject): void {
  try {
    checkWriteConditions(operation)
    operation.disk.put(object)
  } catch (error) {
    for (const blob of object.blobs) operation.disk.removeBlob(blob)
    throw error
  }
}

function copySource(operation: Operation): StoredObject {
  const [bucket = '', key = ''] = decode(header(operation, 'x-amz-copy-source') ?? '')
    .replace(/^\//, '')
    .split(/\/(.*)/s)
  if (operation.disk.keys(bucket) === undefined) throw new S3Error('NoSuchBucket')
  const source = operation.disk.object(bucket, key)
  if (source === undefined) throw new S3Error('NoSuchKey', undefined, { Key: key })
  const ifMatch = header(operation, 'x-amz-copy-source-if-match')
  if (ifMatch !== undefined && unquote(ifMatch) !== source.etag) throw new S3Error('PreconditionFailed')
  return source
}

/** RFC 9110, 13.2.2. True: answer 304. */
function checkReadConditions(operation: Operation, object: StoredObject): boolean {
  const ifMatch = header(operation, 'if-match')
  const ifNoneMatch = header(operation, 'if-none-match')
  const modifiedSeconds = Math.floor(object.modifiedMs / 1000)
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, object.etag))
      throw new S3Error('PreconditionFailed', undefined, { Condition: 'If-Match' })
  } else if (modifiedSeconds > seconds(header(operation, 'if-unmodified-since'), Infinity)) {
    throw new S3Error('PreconditionFailed', undefined, { Condition: 'If-Unmodified-Since' })
  }
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, object.etag)
  return modifiedSeconds <= seconds(header(operation, 'if-modified-since'), -Infinity)
}

function matches(list: string, etag: string): boolean {
  return list.split(',').some((one) => one.trim() === '*' || unquote(one) === etag)
}

function seconds(date: string | undefined, otherwise: number): number {
  const ms = Date.parse(date ?? '')
  return Number.isNaN(ms) ? otherwise : ms / 1000
}

/** `[start, end)` of a single byte range; `undefined` when there is none or it is not understood, as RFC 9110 wants. */
function rangeOf(range: string | undefined, bytes: number): [number, number] | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(range ?? '')
  if (match === null || (match[1] === '' && match[2] === '')) return undefined
  const [first, last] = [match[1] ?? '', match[2] ?? '']
  const start = first === '' ? Math.max(bytes - Number(last), 0) : Number(first)
  const end = first === '' || last === '' ? bytes : Math.min(Number(last) + 1, bytes)
  if (first !== '' && last !== '' && Number(last) < start) return undefined
  if (start >= bytes) throw new S3Error('InvalidRange', undefined, { ActualObjectSize: String(bytes) })
  return [start, end]
}
