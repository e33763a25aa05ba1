import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  type S3ClientConfig
} from '@aws-sdk/client-s3'
import type { S3Access } from '../../real/s3.ts'

/** The buckets that a store under test has. */
export const BUCKET = 'conformance'
export const EXPIRING = 'expiring'
export const BUCKETS: readonly string[] = [BUCKET, EXPIRING]

/** S3 wants at least so many bytes of every part but the last. */
export const PART_BYTES_MIN = 5 * 1024 ** 2

/** Adds a test of a property to a group, unless the store is known to lack it. */
export type Property = (title: string, run: (bench: Bench) => Promise<void>, timeoutMs?: number) => void

/** What a refused request was told. */
export interface Refusal {
  readonly name: string
  readonly status: number
}

/** A client of the store under test, and what tests do again and again with it. */
export class Bench {
  readonly access: S3Access
  readonly s3: S3Client
  readonly #clients: S3Client[] = []
  #prefixes = 0

  constructor(access: S3Access) {
    this.access = access
    this.s3 = this.client()
  }

  /** A client that asks once. */
  client(config: S3ClientConfig = {}): S3Client {
    const { endpoint, region, ...credentials } = this.access
    const client = new S3Client({
      endpoint,
      region,
      credentials,
      forcePathStyle: true,
      maxAttempts: 1,
      ...config
    })
    this.#clients.push(client)
    return client
  }

  close(): void {
    for (const client of this.#clients) client.destroy()
  }

  /** A prefix that no other test has used, with its slash. */
  fresh(): string {
    return `t${++this.#prefixes}/`
  }

  async put(Key: string, Body: string | Buffer, more: Partial<PutObjectCommandInput> = {}): Promise<string> {
    const { ETag = '' } = await this.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body, ...more }))
    return ETag
  }

  async get(Key: string, Bucket = BUCKET): Promise<Buffer> {
    const { Body } = await this.s3.send(new GetObjectCommand({ Bucket, Key }))
    return Buffer.from((await Body?.transformToByteArray()) ?? [])
  }

  async keys(Prefix: string, Bucket = BUCKET): Promise<string[]> {
    const { Contents = [] } = await this.s3.send(new ListObjectsV2Command({ Bucket, Prefix }))
    return Contents.map(({ Key = '' }) => Key)
  }
}

/** How a request was refused; that it was not is an error. */
export async function refusal(sent: Promise<unknown>): Promise<Refusal> {
  try {
    await sent
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const metadata = '$metadata' in error ? error.$metadata : undefined
    const isAnswer = typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
    if (!isAnswer) throw error
    return { name: error.name, status: Number(metadata.httpStatusCode) }
  }
  throw new Error('the request was not refused')
}
