import type { Reply } from '../http-service.ts'
import { toXml } from './xml.ts'

/** Status and default message of the S3 error codes this store answers with (S3 API reference, "Error responses"). */
const codes = {
  AccessDenied: [403, 'Access Denied'],
  AuthorizationHeaderMalformed: [400, 'The authorization header that you provided is not valid.'],
  BadDigest: [
    400,
    'The Content-MD5 or checksum value that you specified did not match what the server received.'
  ],
  BadRequest: [400, 'Bad Request'],
  EntityTooLarge: [400, 'Your proposed upload exceeds the maximum allowed object size.'],
  EntityTooSmall: [400, 'Your proposed upload is smaller than the minimum allowed object size.'],
  IncompleteBody: [
    400,
    'You did not provide the number of bytes specified by the Content-Length HTTP header.'
  ],
  InternalError: [500, 'We encountered an internal error. Please try again.'],
  InvalidAccessKeyId: [403, 'The AWS access key ID that you provided does not exist in our records.'],
  InvalidArgument: [400, 'Invalid Argument'],
  InvalidDigest: [400, 'The Content-MD5 or checksum value that you specified is not valid.'],
  InvalidPart: [
    400,
    'One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part’s entity tag.'
  ],
  InvalidPartOrder: [400, 'The list of parts was not in ascending order.'],
  InvalidRange: [416, 'The requested range is not satisfiable'],
  InvalidRequest: [400, 'Invalid Request'],
  InvalidStorageClass: [400, 'The storage class that you specified is not valid.'],
  InvalidTag: [400, 'The tag provided was not a valid tag.'],
  InvalidURI: [400, 'The specified URI could not be parsed.'],
  KeyTooLongError: [400, 'Your key is too long'],
  MalformedXML: [400, 'The XML that you provided was not well formed or did not validate.'],
  MethodNotAllowed: [405, 'The specified method is not allowed against this resource.'],
  MissingContentLength: [411, 'You must provide the Content-Length HTTP header.'],
  NoSuchBucket: [404, 'The specified bucket does not exist'],
  NoSuchKey: [404, 'The specified key does not exist.'],
  NoSuchLifecycleConfiguration: [404, 'The lifecycle configuration does not exist'],
  NoSuchUpload: [
    404,
    'The specified multipart upload does not exist. The upload ID might be invalid, or the multipart upload might have been aborted or completed.'
  ],
  NotImplemented: [501, 'A header or query you provided requested a function that is not implemented.'],
  PreconditionFailed: [412, 'At least one of the preconditions that you specified did not hold.'],
  ConditionalRequestConflict: [409, 'A conflicting operation occurred during the upload.'],
  RequestTimeTooSkewed: [403, 'The difference between the request time and the server’s time is too large.'],
  SignatureDoesNotMatch: [
    403,
    'The request signature that the server calculated does not match the signature that you provided. Check your secret access key and signing method.'
  ],
  SlowDown: [503, 'Please reduce your request rate.'],
  XAmzContentSHA256Mismatch: [
    400,
    'The provided x-amz-content-sha256 header does not match what was computed.'
  ],
  XMinioStorageFull: [507, 'Storage backend has reached its minimum free drive threshold.']
} as const satisfies Record<string, readonly [number, string]>

export type S3ErrorCode = keyof typeof codes

/** An S3 error on its way to the client. `fields` become further elements of the XML (`Condition`, `Region`, …). */
export class S3Error extends Error {
  readonly code: S3ErrorCode
  readonly fields: Readonly<Record<string, string>>

  constructor(code: S3ErrorCode, message?: string, fields: Readonly<Record<string, string>> = {}) {
    super(message ?? codes[code][1])
    this.code = code
    this.fields = fields
  }
}

export function errorReply(error: S3Error, resource: string): Reply {
  return xmlError(codes[error.code][0], error.code, error.message, resource, error.fields)
}

/** An error by status and code as a fault rule names them; a status of 200 gives the error body S3 warns about. */
export function faultReply(status: number, code: string | undefined, resource: string): Reply {
  const known = code !== undefined && code in codes ? codes[code as S3ErrorCode][1] : 'Injected fault.'
  return xmlError(status, code ?? (status === 503 ? 'SlowDown' : 'InternalError'), known, resource, {})
}

function xmlError(
  status: number,
  code: string,
  message: string,
  resource: string,
  fields: Readonly<Record<string, string>>
): Reply {
  const body = toXml('Error', { Code: code, Message: message, Resource: resource, ...fields, RequestId: '0' })
  return { status, headers: { 'content-type': 'application/xml' }, body }
}
