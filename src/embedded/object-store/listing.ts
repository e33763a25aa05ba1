import type { Reply } from '../http-service.ts'
import { S3Error } from './errors.ts'
import { limit, type Operation, quote, xmlReply } from './operation.ts'
import { encode } from './signature.ts'
import type { SortedKeys } from './sorted-keys.ts'
import type { XmlTree } from './xml.ts'

const KEYS_MAX = 1000

export async function listBuckets(operation: Operation): Promise<Reply> {
  return xmlReply('ListAllMyBucketsResult', {
    Owner: { ID: 'causeway', DisplayName: 'causeway' },
    Buckets: {
      Bucket: operation.disk.buckets.map((Name) => ({ Name, CreationDate: new Date(0).toISOString() }))
    }
  })
}

/** ListObjectsV2: keys in the order of their bytes, those with a common prefix up to the delimiter rolled up. */
export async function listObjects(operation: Operation): Promise<Reply> {
  const { query, disk, bucket } = operation
  const [prefix, delimiter] = [query.get('prefix') ?? '', query.get('delimiter') ?? '']
  const token = query.get('continuation-token')
  const startAfter = query.get('start-after')
  const maxKeys = limit(operation, 'max-keys', KEYS_MAX)
  const keys = disk.keys(bucket)
  if (keys === undefined) throw new S3Error('NoSuchBucket')
  const last = token === undefined ? keyItem(startAfter) : decodeToken(token)
  const page = pageOf(keys, { prefix, delimiter, after: last, maxKeys })
  const text = query.get('encoding-type') === 'url' ? encodeKey : (key: string) => key
  const lastItem = page.items.at(-1)
  return xmlReply('ListBucketResult', {
    Name: bucket,
    Prefix: text(prefix),
    ...(startAfter === undefined ? {} : { StartAfter: text(startAfter) }),
    ...(token === undefined ? {} : { ContinuationToken: token }),
    ...(page.more && lastItem !== undefined ? { NextContinuationToken: encodeToken(lastItem) } : {}),
    KeyCount: page.items.length,
    MaxKeys: maxKeys,
    ...(delimiter === '' ? {} : { Delimiter: text(delimiter) }),
    ...(query.has('encoding-type') ? { EncodingType: 'url' } : {}),
    IsTruncated: page.more,
    Contents: page.items
      .filter((item) => item.type === 'key')
      .map((item) => content(operation, item.name, text)),
    CommonPrefixes: page.items
      .filter((item) => item.type === 'prefix')
      .map((item) => ({ Prefix: text(item.name) }))
  })
}

interface Item {
  readonly type: 'key' | 'prefix'
  readonly name: string
}

interface Wanted {
  readonly prefix: string
  readonly delimiter: string
  /** The item before the page. */
  readonly after: Item | undefined
  readonly maxKeys: number
}

function pageOf(
  keys: SortedKeys,
  wanted: Wanted
): { readonly items: readonly Item[]; readonly more: boolean } {
  const { prefix, delimiter, after } = wanted
  const items: Item[] = []
  let rolled = after?.type === 'prefix' ? after.name : undefined
  let at = Math.max(keys.indexFrom(prefix), after === undefined ? 0 : keys.indexFrom(after.name))
  for (let key = keys.at(at); key?.startsWith(prefix) === true; key = keys.at(++at)) {
    if (after?.type === 'key' && key === after.name) continue
    if (rolled !== undefined && key.startsWith(rolled)) continue
    if (items.length === wanted.maxKeys) return { items, more: items.length > 0 }
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    rolled = end < 0 ? undefined : key.slice(0, end + delimiter.length)
    items.push(rolled === undefined ? { type: 'key', name: key } : { type: 'prefix', name: rolled })
  }
  return { items, more: false }
}

function content(operation: Operation, key: string, text: (key: string) => string): XmlTree {
  const object = operation.disk.object(operation.bucket, key)
  return {
    Key: text(key),
    LastModified: new Date(object?.modifiedMs ?? 0).toISOString(),
    ETag: quote(object?.etag ?? ''),
    ChecksumAlgorithm: object?.checksum?.algorithm.toUpperCase(),
    ChecksumType: object?.checksum?.type,
    Size: object?.bytes ?? 0,
    StorageClass: 'STANDARD'
  }
}

function keyItem(key: string | undefined): Item | undefined {
  return key === undefined || key === '' ? undefined : { type: 'key', name: key }
}

function encodeToken(item: Item): string {
  return Buffer.from(`${item.type}:${item.name}`).toString('base64url')
}

function decodeToken(token: string): Item {
  const match = /^(key|prefix):(.+)$/s.exec(Buffer.from(token, 'base64url').toString('utf8'))
  if (match === null) throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect')
  return { type: match[1] === 'key' ? 'key' : 'prefix', name: match[2] ?? '' }
}

function encodeKey(key: string): string {
  return key.split('/').map(encode).join('/')
}
