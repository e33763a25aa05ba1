import { S3Client } from '@aws-sdk/client-s3'
import type { S3StoreConfig } from '../../config.ts'

export interface S3ClientOptions {
  readonly region: string
  readonly endpoint?: string | undefined
  readonly pathStyle: boolean
  /** Absent: the SDK's own chain (environment, profile, web identity, instance). */
  readonly credentials?: S3Credentials | undefined
  readonly requestTimeoutMs?: number
}

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** What AWS calls itself in its answers' `Server`. */
export const AWS = 'AmazonS3'

const CONNECT_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 30_000

/** How `[store.NAME]` says that its service is to be reached. */
export function clientOptions(config: S3StoreConfig): S3ClientOptions {
  const { region, endpoint, pathStyle, accessKeyId, secretAccessKey } = config
  const credentials = accessKeyId &&
    secretAccessKey && { accessKeyId: accessKeyId.reveal(), secretAccessKey: secretAccessKey.reveal() }
  return { region, endpoint, pathStyle, credentials }
}

/** A client that sends each request so often at most. */
export function createClient(options: S3ClientOptions, maxAttempts: number): S3Client {
  const { region, endpoint, pathStyle, credentials, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options
  return new S3Client({
    region,
    maxAttempts,
    forcePathStyle: pathStyle,
    // Stores that are not AWS refuse checksums nobody asked for.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      // Silence in the middle of an answer: the other limit ends with its headers.
      socketTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true
    },
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials })
  })
}

/** Tells the name that a server gives itself in its answers. */
export function onServer(client: S3Client, told: (server: string) => void): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const server = serverOf(result.response)
      if (server !== undefined) told(server)
      return result
    },
    { step: 'deserialize', name: 'causeway-server' }
  )
}

function serverOf(response: unknown): string | undefined {
  if (typeof response !== 'object' || response === null || !('headers' in response)) return undefined
  const { headers } = response
  if (typeof headers !== 'object' || headers === null || !('server' in headers)) return undefined
  return String(headers.server)
}
