import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { bodyOf } from '../http-service.ts'
import { readChunks } from './aws-chunked.ts'
import { type Algorithm, algorithmNamed, algorithms, startChecksum } from './checksums.ts'
import { S3Error } from './errors.ts'
import type { Authentication } from './signature.ts'

/** What came in a request's body, after every digest the client sent has been checked. */
export interface Received {
  readonly bytes: number
  readonly md5: Buffer
  /** The checksum the client sent, or the one that was wished for. */
  readonly checksum?: { readonly algorithm: Algorithm; readonly value: Buffer } | undefined
}

const OBJECT_BYTES_MAX = 5 * 1024 ** 3

/**
 * Streams the decoded body into `write` and verifies length, `x-amz-content-sha256` or chunk signatures, `Content-MD5`
 * and `x-amz-checksum-*` (header or trailer). `wished` names a checksum to compute although the client sends none.
 * Throws `S3Error` after bytes were written: the caller throws those away.
 */
export async function receive(
  request: IncomingMessage,
  authentication: Authentication,
  write: (chunk: Buffer) => Promise<void>,
  wished?: Algorithm
): Promise<Received> {
  const expectation = expectationOf(request)
  const algorithm = expectation.algorithm ?? wished
  const checksum = algorithm === undefined ? undefined : startChecksum(algorithm)
  const md5 = createHash('md5')
  const sha256 = /^[0-9a-f]{64}$/.test(authentication.payload) ? createHash('sha256') : undefined
  const trailers = new Map<string, string>()
  let bytes = 0
  const body = authentication.payload.startsWith('STREAMING-')
    ? readChunks(bodyOf(request), authentication, trailers)
    : bodyOf(request)
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > OBJECT_BYTES_MAX) throw new S3Error('EntityTooLarge')
    md5.update(chunk)
    sha256?.update(chunk)
    checksum?.update(chunk)
    await write(chunk)
  }
  if (bytes !== expectation.bytes) throw new S3Error('IncompleteBody')
  if (sha256 !== undefined && sha256.digest('hex') !== authentication.payload) {
    throw new S3Error('XAmzContentSHA256Mismatch')
  }
  const received = {
    bytes,
    md5: md5.digest(),
    checksum: algorithm && checksum && { algorithm, value: checksum.digest() }
  }
  verify(request, received, expectation, trailers)
  return received
}

/** The whole body of a small request (XML), verified in the same way. */
export async function receiveText(request: IncomingMessage, authentication: Authentication): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  await receive(request, authentication, async (chunk) => {
    bytes += chunk.length
    if (bytes > 4 * 1024 ** 2) throw new S3Error('MalformedXML')
    chunks.push(chunk)
  })
  return Buffer.concat(chunks).toString('utf8')
}

interface Expectation {
  readonly bytes: number
  readonly algorithm?: Algorithm | undefined
  /** Where the checksum's value stands. */
  readonly in: 'header' | 'trailer' | 'nowhere'
}

function expectationOf(request: IncomingMessage): Expectation {
  const length = request.headers['x-amz-decoded-content-length'] ?? request.headers['content-length']
  if (length === undefined && request.headers['transfer-encoding'] !== undefined) {
    throw new S3Error('MissingContentLength')
  }
  const bytes = Number(length ?? 0)
  const inHeader = algorithms.filter((name) => request.headers[`x-amz-checksum-${name}`] !== undefined)
  if (inHeader.length > 1) {
    throw new S3Error(
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.'
    )
  }
  if (inHeader[0] !== undefined) return { bytes, algorithm: inHeader[0], in: 'header' }
  const trailer = String(request.headers['x-amz-trailer'] ?? '').toLowerCase()
  const algorithm = algorithmNamed(trailer.replace('x-amz-checksum-', ''))
  return algorithm === undefined ? { bytes, in: 'nowhere' } : { bytes, algorithm, in: 'trailer' }
}

function verify(
  request: IncomingMessage,
  received: Received,
  expectation: Expectation,
  trailers: ReadonlyMap<string, string>
): void {
  const md5 = request.headers['content-md5']
  if (md5 !== undefined && Buffer.from(String(md5), 'base64').length !== 16)
    throw new S3Error('InvalidDigest')
  if (md5 !== undefined && md5 !== received.md5.toString('base64')) throw new S3Error('BadDigest')
  const { algorithm } = expectation
  if (algorithm === undefined || expectation.in === 'nowhere') return
  const name = `x-amz-checksum-${algorithm}`
  const expected = expectation.in === 'header' ? request.headers[name] : trailers.get(name)
  if (expected === undefined) throw new S3Error('InvalidRequest', `The trailer ${name} is missing.`)
  if (expected !== received.checksum?.value.toString('base64')) {
    throw new S3Error(
      'BadDigest',
      `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`
    )
  }
}
