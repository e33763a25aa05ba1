import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { S3Error } from './errors.ts'

/**
 * AWS Signature Version 4 as S3 verifies it (S3 API reference, "Authenticating Requests: Using the Authorization
 * Header" and "Using Query Parameters").
 */
export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
}

/** A verified request; what signed chunks of its body need to be verified in turn. */
export interface Authentication {
  /** `x-amz-content-sha256`: a hex digest, `UNSIGNED-PAYLOAD` or one of the `STREAMING-…` forms. */
  readonly payload: string
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly timestamp: string
  readonly scope: string
  readonly signature: string
  readonly signingKey: Buffer
}

interface Claim {
  readonly accessKeyId: string
  /** date, region, service, terminator. */
  readonly scope: readonly string[]
  readonly signedHeaders: readonly string[]
  readonly signature: string
  readonly timestamp: string
  readonly payload: string
  readonly presignedExpirySeconds?: number
}

const SKEW_MS_MAX = 15 * 60_000
const EXPIRY_SECONDS_MAX = 7 * 24 * 3600

/** Verifies a request whose raw target (`/path?query`, as sent) is `request.url`. Throws `S3Error`. */
export function authenticate(
  request: IncomingMessage,
  credentials: Credentials,
  nowMs: number
): Authentication {
  const [path = '/', query = ''] = (request.url ?? '/').split(/\?(.*)/s)
  const pairs = parseQuery(query)
  const claim = claimOf(request, new Map(pairs))
  checkClaim(claim, credentials, nowMs)
  checkSignedHeaders(request, claim)
  const canonical = [
    request.method ?? 'GET',
    path.split('/').map(canonicalSegment).join('/'),
    canonicalQuery(pairs),
    ...claim.signedHeaders.map((name) => `${name}:${headerValue(request, name)}`),
    '',
    claim.signedHeaders.join(';'),
    claim.payload
  ].join('\n')
  const scope = claim.scope.join('/')
  const signingKey = claim.scope.reduce<Buffer>(
    (key, part) => hmac(key, part),
    Buffer.from(`AWS4${credentials.secretAccessKey}`)
  )
  const stringToSign = ['AWS4-HMAC-SHA256', claim.timestamp, scope, sha256Hex(canonical)].join('\n')
  const expected = hmac(signingKey, stringToSign).toString('hex')
  if (!sameText(expected, claim.signature)) {
    throw new S3Error('SignatureDoesNotMatch', undefined, {
      AWSAccessKeyId: claim.accessKeyId,
      StringToSign: stringToSign,
      SignatureProvided: claim.signature,
      CanonicalRequest: canonical
    })
  }
  return { payload: claim.payload, timestamp: claim.timestamp, scope, signature: expected, signingKey }
}

/** Query parameters in order, decoded; a parameter without `=` has the value "". */
export function parseQuery(query: string): [string, string][] {
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', value = ''] = part.split(/=(.*)/s)
      return [decode(name.replaceAll('+', ' ')), decode(value.replaceAll('+', ' '))]
    })
}

export function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new S3Error('InvalidURI')
  }
}

/** Percent-encodes all but RFC 3986's unreserved characters. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`
  )
}

export function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

export function sha256Hex(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

function claimOf(request: IncomingMessage, query: ReadonlyMap<string, string>): Claim {
  const authorization = request.headers.authorization
  if (authorization !== undefined) return headerClaim(request, authorization)
  if (query.has('X-Amz-Signature')) return presignedClaim(query)
  throw new S3Error('AccessDenied')
}

function headerClaim(request: IncomingMessage, authorization: string): Claim {
  const match = /^AWS4-HMAC-SHA256\s+(.*)$/.exec(authorization)
  if (match === null) throw new S3Error('InvalidRequest', 'Please use AWS4-HMAC-SHA256.')
  const fields = new Map((match[1] ?? '').split(',').map((field) => split(field.trim(), '=')))
  const payload = headerValue(request, 'x-amz-content-sha256')
  const timestamp = headerValue(request, 'x-amz-date')
  if (payload === '') {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
  }
  if (timestamp === '') {
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  }
  return {
    ...credentialOf(fields.get('Credential')),
    signedHeaders: (fields.get('SignedHeaders') ?? '').split(';'),
    signature: fields.get('Signature') ?? '',
    timestamp,
    payload
  }
}

function presignedClaim(query: ReadonlyMap<string, string>): Claim {
  const expiry = Number(query.get('X-Amz-Expires'))
  if (!Number.isInteger(expiry) || expiry < 0 || expiry > EXPIRY_SECONDS_MAX) {
    throw new S3Error('InvalidArgument', 'X-Amz-Expires must be between 0 and 604800 seconds')
  }
  return {
    ...credentialOf(query.get('X-Amz-Credential')),
    signedHeaders: (query.get('X-Amz-SignedHeaders') ?? '').split(';'),
    signature: query.get('X-Amz-Signature') ?? '',
    timestamp: query.get('X-Amz-Date') ?? '',
    payload: query.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD',
    presignedExpirySeconds: expiry
  }
}

function credentialOf(credential: string | undefined): { accessKeyId: string; scope: string[] } {
  const parts = (credential ?? '').split('/')
  const scope = parts.slice(-4)
  if (parts.length < 5 || scope[3] !== 'aws4_request') {
    throw new S3Error('AuthorizationHeaderMalformed', 'The Credential is malformed.')
  }
  return { accessKeyId: parts.slice(0, -4).join('/'), scope }
}

function checkClaim(claim: Claim, credentials: Credentials, nowMs: number): void {
  const [date, region, service] = claim.scope
  if (claim.accessKeyId !== credentials.accessKeyId) {
    throw new S3Error('InvalidAccessKeyId', undefined, { AWSAccessKeyId: claim.accessKeyId })
  }
  if (region !== credentials.region || service !== 's3') {
    throw new S3Error(
      'AuthorizationHeaderMalformed',
      `The authorization header is malformed; the region '${region}' is wrong; expecting '${credentials.region}'`,
      { Region: credentials.region }
    )
  }
  const signedMs = timestampMs(claim.timestamp)
  if (signedMs === undefined || !claim.timestamp.startsWith(date ?? ' ')) {
    throw new S3Error(
      'AuthorizationHeaderMalformed',
      'The date of the Credential is not that of the request.'
    )
  }
  if (claim.presignedExpirySeconds !== undefined) {
    if (nowMs > signedMs + claim.presignedExpirySeconds * 1000)
      throw new S3Error('AccessDenied', 'Request has expired')
    if (signedMs > nowMs + SKEW_MS_MAX) throw new S3Error('AccessDenied', 'Request is not valid yet')
    return
  }
  if (Math.abs(nowMs - signedMs) > SKEW_MS_MAX) {
    throw new S3Error('RequestTimeTooSkewed', undefined, {
      RequestTime: claim.timestamp,
      ServerTime: new Date(nowMs).toISOString(),
      MaxAllowedSkewMilliseconds: String(SKEW_MS_MAX)
    })
  }
}

/** `host` and every `x-amz-*` header must be under the signature, or another could change them. */
function checkSignedHeaders(request: IncomingMessage, claim: Claim): void {
  const signed = new Set(claim.signedHeaders)
  const unsigned = [
    'host',
    ...Object.keys(request.headers).filter((name) => name.startsWith('x-amz-'))
  ].filter((name) => !signed.has(name))
  if (unsigned.length > 0) {
    throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
      HeadersNotSigned: unsigned.join(', ')
    })
  }
}

function timestampMs(timestamp: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp)
  if (match === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number)
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

function canonicalSegment(segment: string): string {
  return encode(decode(segment))
}

function canonicalQuery(pairs: readonly (readonly [string, string])[]): string {
  return pairs
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function headerValue(request: IncomingMessage, name: string): string {
  const value = request.headersDistinct[name]?.join(',') ?? ''
  return value.trim().replace(/ +/g, ' ')
}

function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
