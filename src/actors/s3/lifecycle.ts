import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import {
  DeleteBucketLifecycleCommand,
  GetBucketLifecycleConfigurationCommand,
  type GetBucketLifecycleConfigurationCommandOutput,
  GetBucketVersioningCommand,
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
  type S3Client
} from '@aws-sdk/client-s3'
import { Fault } from '../../errors.ts'
import { AWS, onServer } from './client.ts'
import { answerOf, s3Fault } from './faults.ts'
import { type BucketTraits, sameRule } from './lifecycle-rules.ts'

/** A bucket's lifecycle as its store tells it. */
export interface BucketLifecycle {
  /** The store has lifecycles at all; versitygw has none. */
  readonly supported: boolean
  readonly rules: readonly LifecycleRule[]
  readonly traits: BucketTraits
  /** Elements of the rules that this client does not know, and would lose in writing the rules back. */
  readonly unknown: readonly string[]
  readonly transitionMinimum: Minimum
}

type Minimum = GetBucketLifecycleConfigurationCommandOutput['TransitionDefaultMinimumObjectSize']

const MINIO = 'MinIO'
const READ_BACK_ATTEMPTS = 6
const READ_BACK_PAUSE_MS = 500

/** Reads the rules of a bucket and what they depend on. Rejects with a `Fault`. */
export async function readLifecycle(
  client: S3Client,
  bucket: string,
  signal: AbortSignal
): Promise<BucketLifecycle> {
  let server: string | undefined
  onServer(client, (name) => {
    server = name
  })
  const bodies = bodiesOf(client)
  const { rules, transitionMinimum, supported } = await rulesOf(client, bucket, signal)
  const unknown = unknownElements(bodies.splice(0).join(''))
  const traits = {
    versioned: await isVersioned(client, bucket, signal),
    abortsUploads: server !== MINIO,
    stages: server !== AWS
  }
  return { supported, rules, traits, unknown, transitionMinimum }
}

/**
 * Writes a bucket's whole lifecycle, which S3 has no condition for, and reads it back. Resolves with the rules that are not
 * there as they were written. Rejects with a `Fault` when the store refuses them.
 */
export async function writeLifecycle(
  client: S3Client,
  bucket: string,
  { rules, transitionMinimum }: { rules: readonly LifecycleRule[]; transitionMinimum: Minimum },
  signal: AbortSignal
): Promise<readonly LifecycleRule[]> {
  const command =
    rules.length === 0
      ? new DeleteBucketLifecycleCommand({ Bucket: bucket })
      : new PutBucketLifecycleConfigurationCommand({
          Bucket: bucket,
          LifecycleConfiguration: { Rules: [...rules] },
          ...(transitionMinimum !== undefined && { TransitionDefaultMinimumObjectSize: transitionMinimum })
        })
  try {
    await client.send(command, { abortSignal: signal })
  } catch (error) {
    signal.throwIfAborted()
    throw s3Fault(error, `the lifecycle of ${bucket}`)
  }
  // S3 gives the former rules for a while, as its documentation says.
  for (let attempt = 1; ; attempt++) {
    const { rules: found } = await rulesOf(client, bucket, signal)
    const missing = rules.filter((rule) => !found.some((one) => one.ID === rule.ID && sameRule(one, rule)))
    const extra = found.filter(({ ID }) => !rules.some((rule) => rule.ID === ID))
    if ((missing.length === 0 && extra.length === 0) || attempt === READ_BACK_ATTEMPTS) {
      return [...missing, ...extra]
    }
    await wait(READ_BACK_PAUSE_MS, undefined, { signal })
  }
}

async function rulesOf(client: S3Client, bucket: string, signal: AbortSignal) {
  const command = new GetBucketLifecycleConfigurationCommand({ Bucket: bucket })
  try {
    const answer = await client.send(command, { abortSignal: signal })
    const transitionMinimum = answer.TransitionDefaultMinimumObjectSize
    return { supported: true, rules: answer.Rules ?? [], transitionMinimum }
  } catch (error) {
    signal.throwIfAborted()
    const { name, status } = answerOf(error)
    const nothing = { rules: [], transitionMinimum: undefined }
    if (name === 'NoSuchLifecycleConfiguration') return { supported: true, ...nothing }
    if (status === 501) return { supported: false, ...nothing }
    throw s3Fault(error, `the lifecycle of ${bucket}`)
  }
}

/** A bucket whose versioning is suspended still has its older versions. */
async function isVersioned(client: S3Client, bucket: string, signal: AbortSignal): Promise<boolean> {
  try {
    const command = new GetBucketVersioningCommand({ Bucket: bucket })
    return (await client.send(command, { abortSignal: signal })).Status !== undefined
  } catch (error) {
    signal.throwIfAborted()
    if (answerOf(error).status === 501) return false
    throw s3Fault(error, `the versioning of ${bucket}`)
  }
}

/** The elements of the S3 API reference, `LifecycleConfiguration`: what the SDK reads and writes. */
const KNOWN = new Set(
  'LifecycleConfiguration Rule ID Status Prefix Filter And Tag Key Value ObjectSizeGreaterThan ObjectSizeLessThan \
Expiration Days Date ExpiredObjectDeleteMarker NoncurrentVersionExpiration NoncurrentDays NewerNoncurrentVersions \
Transition StorageClass NoncurrentVersionTransition AbortIncompleteMultipartUpload DaysAfterInitiation'.split(
    ' '
  )
)

/** Stores have elements of their own (MinIO's `DelMarkerExpiration`), which the SDK passes over in silence. */
export function unknownElements(xml: string): string[] {
  const names = [...xml.matchAll(/<([A-Za-z][\w:.-]*)/g)].map(([, name = '']) => name)
  return [...new Set(names.filter((name) => !KNOWN.has(name)))]
}

/** Collects the bodies of the answers that a client gets, before it reads them. */
function bodiesOf(client: S3Client): string[] {
  const bodies: string[] = []
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { response } = result
      if (hasBody(response) && response.statusCode === 200) {
        const chunks: Buffer[] = []
        for await (const chunk of response.body) chunks.push(Buffer.from(chunk))
        bodies.push(Buffer.concat(chunks).toString())
        response.body = Readable.from(chunks)
      }
      return result
    },
    // Nearer to the wire than what reads the answer.
    { step: 'deserialize', priority: 'low', name: 'causeway-bodies' }
  )
  return bodies
}

interface WithBody {
  readonly statusCode: number
  body: AsyncIterable<Uint8Array>
}

function hasBody(response: unknown): response is WithBody {
  if (typeof response !== 'object' || response === null || !('statusCode' in response)) return false
  return 'body' in response && response.body instanceof Readable
}

/** Throws `lifecycle-unknown-elements` where writing the rules back would change somebody else's. */
export function demandKnown({ unknown }: BucketLifecycle, bucket: string): void {
  if (unknown.length === 0) return
  const what = `the lifecycle of ${bucket} has ${unknown.join(', ')}, which would be lost in writing it`
  throw new Fault('lifecycle-unknown-elements', `${what}: nothing is written; add the planned rules by hand`)
}
