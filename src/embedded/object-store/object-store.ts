import { mkdirSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Faults } from '../faults.ts'
import { isDiskFull, type Reply, startHttpService } from '../http-service.ts'
import { Disk } from './disk.ts'
import { errorReply, faultReply, S3Error } from './errors.ts'
import { Expiry } from './expiry.ts'
import { deleteLifecycle, getLifecycle, putLifecycle } from './lifecycle.ts'
import { listBuckets, listObjects } from './listing.ts'
import { abortUpload, completeUpload, createUpload, listParts, listUploads, uploadPart } from './multipart.ts'
import { copyObject, deleteObject, deleteObjects, getObject, putObject } from './objects.ts'
import { type Manners, type Operation, xmlReply } from './operation.ts'
import { authenticate, type Credentials, decode, parseQuery } from './signature.ts'
import { deleteTags, getTags, putTags } from './tagging.ts'

export interface ObjectStoreOptions extends Partial<Manners>, Credentials {
  readonly dataDir: string
  /** 0 or absent: any free port. */
  readonly port?: number
  /** Created at start; those of earlier lives stay. */
  readonly buckets: readonly string[]
  /** Subjects: `PUT bucket/key`, `POST bucket/key?uploads`, `GET bucket?list-type=2&prefix=…`; the path decoded. */
  readonly faults?: Faults
  /** Wall clock in milliseconds. */
  readonly now?: () => number
}

export interface EmbeddedObjectStore {
  /** `http://127.0.0.1:<port>`, for path-style addressing. */
  readonly endpoint: string
  readonly port: number
  readonly faults: Faults
  readonly stop: () => Promise<void>
}

const KEY_BYTES_MAX = 1024

/**
 * An S3 store on loopback: SigV4 checked, conditional writes, multipart uploads, paged listing, tags, expiry by lifecycle
 * (S3 API reference).
 * What it acknowledged survives `kill -9`; what it did not acknowledge leaves no trace in any listing.
 */
export async function startObjectStore(options: ObjectStoreOptions): Promise<EmbeddedObjectStore> {
  mkdirSync(options.dataDir, { recursive: true })
  const disk = new Disk(options.dataDir, options.buckets)
  const faults = options.faults ?? new Faults()
  const now = options.now ?? Date.now
  const manners: Manners = {
    ignoreConditions: options.ignoreConditions ?? false,
    repeatedComplete: options.repeatedComplete ?? 'NoSuchUpload',
    server: options.server ?? 'AmazonS3'
  }
  const expiry = new Expiry(disk)
  const service = await startHttpService({
    port: options.port,
    faults,
    subject: subjectOf,
    handle: async (request) => {
      const nowMs = now()
      const authentication = authenticate(request, options, nowMs)
      expiry.run(nowMs)
      return headed(
        await route({ disk, request, authentication, ...targetOf(request), nowMs, manners }),
        manners,
        nowMs
      )
    },
    failed: (error, request) =>
      headed(withoutBodyForHead(request, errorReply(toS3Error(error), resourceOf(request))), manners, now()),
    fault: (status, code, request) =>
      withoutBodyForHead(request, faultReply(status, code, resourceOf(request)))
  }).catch((error) => {
    disk.close()
    throw error
  })
  return {
    endpoint: `http://127.0.0.1:${service.port}`,
    port: service.port,
    faults,
    stop: async () => {
      await service.stop()
      disk.close()
    }
  }
}

type Handler = (operation: Operation) => Promise<Reply>

/** Query parameters that name a function of S3 which this store does not have. */
const unknownFunctions =
  'accelerate acl analytics attributes cors encryption intelligent-tiering inventory legal-hold logging metrics \
notification object-lock ownershipControls policy publicAccessBlock replication requestPayment restore retention select \
torrent versions versionId website'.split(' ')

async function route(operation: Operation): Promise<Reply> {
  const { bucket, key, query, disk } = operation
  if (unknownFunctions.some((name) => query.has(name))) throw new S3Error('NotImplemented')
  if (bucket === '') return await handlerOf({ GET: listBuckets }, operation)(operation)
  if (disk.keys(bucket) === undefined) throw new S3Error('NoSuchBucket', undefined, { BucketName: bucket })
  if (Buffer.byteLength(key) > KEY_BYTES_MAX) throw new S3Error('KeyTooLongError')
  return await handlerOf(key === '' ? bucketHandlers(query) : objectHandlers(operation), operation)(operation)
}

function handlerOf(handlers: Readonly<Record<string, Handler>>, operation: Operation): Handler {
  const handler = handlers[operation.request.method ?? '']
  if (handler === undefined) throw new S3Error('MethodNotAllowed')
  return handler
}

function bucketHandlers(query: ReadonlyMap<string, string>): Readonly<Record<string, Handler>> {
  if (query.has('uploads')) return { GET: listUploads }
  if (query.has('delete')) return { POST: deleteObjects }
  if (query.has('lifecycle')) return { GET: getLifecycle, PUT: putLifecycle, DELETE: deleteLifecycle }
  if (query.has('tagging')) return { GET: notImplemented, PUT: notImplemented, DELETE: notImplemented }
  if (query.has('location')) return { GET: async () => xmlReply('LocationConstraint', {}) }
  if (query.has('versioning')) return { GET: async () => xmlReply('VersioningConfiguration', {}) }
  const head: Handler = async () => ({ status: 200 })
  if (query.get('list-type') === '2') return { GET: listObjects }
  return {
    HEAD: head,
    GET: notImplemented,
    PUT: notImplemented,
    DELETE: notImplemented,
    POST: notImplemented
  }
}

function objectHandlers(operation: Operation): Readonly<Record<string, Handler>> {
  const { query, request } = operation
  const copies = request.headers['x-amz-copy-source'] !== undefined
  if (query.has('lifecycle')) return {}
  if (query.has('tagging')) return { GET: getTags, PUT: putTags, DELETE: deleteTags }
  if (query.has('uploads')) return { POST: createUpload }
  if (query.has('uploadId')) {
    return {
      PUT: copies ? notImplemented : uploadPart,
      POST: completeUpload,
      DELETE: abortUpload,
      GET: listParts
    }
  }
  return { PUT: copies ? copyObject : putObject, GET: getObject, HEAD: getObject, DELETE: deleteObject }
}

const notImplemented: Handler = async () => {
  throw new S3Error('NotImplemented')
}

/** Bucket, key and query of the raw target; `URL` would resolve the dots of a key like `a/../b`. */
function targetOf(request: IncomingMessage): Pick<Operation, 'bucket' | 'key' | 'query'> {
  const [path = '', query = ''] = (request.url ?? '/').split(/\?(.*)/s)
  const [bucket = '', key = ''] = path.slice(1).split(/\/(.*)/s)
  return { bucket: decode(bucket), key: decode(key), query: new Map(parseQuery(query)) }
}

function subjectOf(request: IncomingMessage): string {
  const [path = '', query = ''] = (request.url ?? '/').split(/\?(.*)/s)
  const shown = query
    .split('&')
    .filter((part) => part !== '' && !part.startsWith('x-id='))
    .join('&')
  return `${request.method} ${readable(path.slice(1))}${shown === '' ? '' : `?${readable(shown)}`}`
}

function readable(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function resourceOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?')[0] ?? '/'
}

function toS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error
  if (isDiskFull(error)) return new S3Error('XMinioStorageFull')
  return new S3Error('InternalError', error instanceof Error ? error.message : String(error))
}

/** By the `Date` of an answer clients set the clock that they sign by. */
function headed(reply: Reply, { server }: Manners, nowMs: number): Reply {
  return { ...reply, headers: { ...reply.headers, server, date: new Date(nowMs).toUTCString() } }
}

function withoutBodyForHead(request: IncomingMessage, reply: Reply): Reply {
  if (request.method !== 'HEAD') return reply
  const { body: _, ...head } = reply
  return head
}
