import { Fault, toFault } from '../../errors.ts'

/** What S3 said, or that it said nothing we can use. */
export interface S3Answer {
  /** S3's error code (`NoSuchKey`), or the SDK's name of the error. */
  readonly name: string
  /** 0 when no answer came. */
  readonly status: number
}

export function answerOf(error: unknown): S3Answer {
  if (!(error instanceof Error)) return { name: 'unknown', status: 0 }
  const metadata = '$metadata' in error ? error.$metadata : undefined
  const status =
    typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
      ? Number(metadata.httpStatusCode)
      : 0
  return { name: error.name, status }
}

/** Codes with which S3 refuses for good, whatever the status. */
const REFUSED = new Set([
  'NoSuchBucket',
  'InvalidBucketName',
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'NotImplemented',
  'InvalidRequest',
  'InvalidArgument',
  'MethodNotAllowed',
  'EntityTooLarge',
  'EntityTooSmall',
  'InvalidPart',
  'InvalidPartOrder',
  'BadDigest',
  'XAmzContentSHA256Mismatch'
])
const DENIED = new Set([
  'AccessDenied',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'CredentialsProviderError',
  'AllAccessDisabled',
  'AccountProblem'
])
/** Statuses that may pass although they are below 500. */
const PASSING_STATUSES = new Set([408, 409, 425, 429])
/** A clock that is off is set right by someone, sooner or later. */
const PASSING = new Set([
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'SlowDown',
  'OperationAborted',
  // Of a KMS that encrypts for S3: answered with 400.
  'KMS.ThrottlingException',
  'ThrottlingException',
  'Throttling',
  'RequestLimitExceeded'
])

/**
 * An SDK error as a `Fault`: `store-denied`, `store-quota` and `store-refused` are answers; everything else is
 * `store-unavailable`, retryable, and leaves open whether the request had its effect.
 */
export function s3Fault(error: unknown, what: string): Fault {
  if (error instanceof Fault) return error
  const fault = toFault(error)
  if (fault.code === 'aborted') return fault
  const { name, status } = answerOf(error)
  const message = `${what}: ${name}${status > 0 ? ` (${status})` : ''}: ${fault.message}`
  if (DENIED.has(name) || (status === 403 && !PASSING.has(name)) || status === 401) {
    return new Fault('store-denied', message, { cause: error })
  }
  if (/Quota/.test(name) || status === 507) return new Fault('store-quota', message, { cause: error })
  const answered = status >= 400 && status < 500 && !PASSING_STATUSES.has(status) && !PASSING.has(name)
  if (REFUSED.has(name) || answered) return new Fault('store-refused', message, { cause: error })
  return new Fault('store-unavailable', message, { cause: error, retryable: true })
}
