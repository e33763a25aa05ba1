import type { IncomingMessage } from 'node:http'
import type { Reply } from '../http-service.ts'
import type { Algorithm } from './checksums.ts'
import type { Disk, StoredChecksum, StoredObject } from './disk.ts'
import { S3Error } from './errors.ts'
import type { Authentication } from './signature.ts'
import { toXml, type XmlTree } from './xml.ts'

/** One authenticated request and what serves it. */
export interface Operation {
  readonly disk: Disk
  readonly request: IncomingMessage
  readonly authentication: Authentication
  readonly bucket: string
  /** "" when the request is about the bucket. */
  readonly key: string
  readonly query: ReadonlyMap<string, string>
  readonly nowMs: number
  readonly manners: Manners
}

/** Where S3 stores differ from each other, for tests to choose. */
export interface Manners {
  /** Conditional writes succeed whatever the condition, as on stores that do not know the headers. */
  readonly ignoreConditions: boolean
  /**
   * What a CompleteMultipartUpload answers that repeats a successful one, while the object it made is there: MinIO and
   * others say `NoSuchUpload`, AWS says 200 with the same result.
   */
  readonly repeatedComplete: 'NoSuchUpload' | 'same-result'
  /** What the store calls itself in its answers' `Server`: AWS says `AmazonS3`. */
  readonly server: string
}

export function header(operation: Operation, name: string): string | undefined {
  return operation.request.headersDistinct[name]?.join(',')
}

/** A number among the query parameters between 0 and `max`; larger ones count as `max`. */
export function limit(operation: Operation, name: string, max: number): number {
  const text = operation.query.get(name)
  if (text === undefined || text === '') return max
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0)
    throw new S3Error('InvalidArgument', `Provided ${name} not an integer`)
  return Math.min(value, max)
}

export function xmlReply(root: string, tree: XmlTree, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status: 200, headers: { 'content-type': 'application/xml', ...headers }, body: toXml(root, tree) }
}

export function existing(operation: Operation): StoredObject {
  const object = operation.disk.object(operation.bucket, operation.key)
  if (object === undefined) throw new S3Error('NoSuchKey', undefined, { Key: operation.key })
  return object
}

/**
 * `If-None-Match: *` and `If-Match` of a write (S3 user guide, "conditional writes"). Called in the same synchronous step
 * that makes the write durable, so of two rivals one loses.
 */
export function checkWriteConditions(operation: Operation): void {
  if (operation.manners.ignoreConditions) return
  const ifNoneMatch = header(operation, 'if-none-match')
  const ifMatch = header(operation, 'if-match')
  const object = operation.disk.object(operation.bucket, operation.key)
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*') {
    throw new S3Error('NotImplemented', undefined, { Header: 'If-None-Match' })
  }
  if (ifNoneMatch === '*' && object !== undefined) {
    throw new S3Error('PreconditionFailed', undefined, { Condition: 'If-None-Match' })
  }
  if (ifMatch === undefined) return
  if (object === undefined) throw new S3Error('NoSuchKey', undefined, { Key: operation.key })
  if (ifMatch !== '*' && unquote(ifMatch) !== object.etag) {
    throw new S3Error('PreconditionFailed', undefined, { Condition: 'If-Match' })
  }
}

/** The headers of a new object that are given back later. */
export function keptHeaders(operation: Operation): Record<string, string> {
  const kept: Record<string, string> = {}
  const names = ['content-type', 'cache-control', 'content-disposition', 'content-language', 'expires']
  for (const name of Object.keys(operation.request.headersDistinct)) {
    if (names.includes(name) || name.startsWith('x-amz-meta-')) kept[name] = header(operation, name) ?? ''
  }
  const encoding = (header(operation, 'content-encoding') ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '' && one !== 'aws-chunked')
  if (encoding.length > 0) kept['content-encoding'] = encoding.join(',')
  return kept
}

export function checksumHeaders(checksum: StoredChecksum | undefined): Record<string, string> {
  if (checksum === undefined) return {}
  return {
    [`x-amz-checksum-${checksum.algorithm}`]: checksum.value,
    'x-amz-checksum-type': checksum.type
  }
}

export function checksumElements(checksum: StoredChecksum | undefined): XmlTree {
  if (checksum === undefined) return {}
  return { [checksumElement(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type }
}

export function checksumElement(algorithm: Algorithm): string {
  return `Checksum${algorithm.toUpperCase()}`
}

export function quote(etag: string): string {
  return `"${etag}"`
}

export function unquote(etag: string): string {
  return etag.trim().replace(/^"(.*)"$/, '$1')
}
