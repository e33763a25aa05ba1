import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand
} from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type EmbeddedObjectStore,
  type ObjectStoreOptions,
  startObjectStore
} from '../../../src/embedded/object-store/object-store.ts'

const bucket = 'raw'
const credentials = { accessKeyId: 'AKTEST', secretAccessKey: 'secret/+key' }
const fiveMiB = 5 * 1024 ** 2

let dataDir: string
let store: EmbeddedObjectStore
let s3: S3Client

async function start(options: Partial<ObjectStoreOptions> = {}): Promise<void> {
  store = await startObjectStore({
    dataDir,
    ...credentials,
    region: 'us-east-1',
    buckets: [bucket],
    ...options
  })
  s3 = client()
}

function client(config: S3ClientConfig = {}): S3Client {
  return new S3Client({
    endpoint: store.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
    maxAttempts: 1,
    ...config
  })
}

async function restart(options: Partial<ObjectStoreOptions> = {}): Promise<void> {
  await store.stop()
  s3.destroy()
  await start(options)
}

async function put(Key: string, Body: string | Buffer = Key): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }))
}

async function get(Key: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

async function refusal(promise: Promise<unknown>): Promise<{ name: string; status: number }> {
  try {
    await promise
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } }
    return { name, status: $metadata?.httpStatusCode ?? 0 }
  }
  throw new Error('the request was not refused')
}

function blobFiles(): string[] {
  return readdirSync(join(dataDir, 'blobs'))
}

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'object-store-'))
  await start()
})

afterEach(async () => {
  s3.destroy()
  await store.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

describe('objects', () => {
  const keys = [
    'plain',
    'a/../b',
    'a//b',
    '/lead',
    'tränen 🌊+&=%2F?#',
    'k'.repeat(1024),
    'dot/.',
    "quo'te(*)!"
  ]
  test.each(keys)('key %j keeps its content, headers and name over a restart', async (Key) => {
    await s3.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key,
        Body: `content of ${Key}`,
        ContentType: 'text/x-test',
        Metadata: { entry: 'abc-1' }
      })
    )
    await restart()
    const got = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }))
    expect(await got.Body?.transformToString()).toBe(`content of ${Key}`)
    expect(got).toMatchObject({ ContentType: 'text/x-test', Metadata: { entry: 'abc-1' } })
    expect(got.ETag).toBe(`"${createHash('md5').update(`content of ${Key}`).digest('hex')}"`)
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }))
    expect(Contents?.map((one) => one.Key)).toEqual([Key])
  })

  test('a key over 1,024 bytes is refused', async () => {
    expect(await refusal(put('é'.repeat(513)))).toMatchObject({ name: 'KeyTooLongError' })
  })

  test('ranges are served as RFC 9110 says, and one past the end is 416', async () => {
    await put('range', '0123456789')
    const ranged = async (Range: string) => {
      const got = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'range', Range }))
      return [await got.Body?.transformToString(), got.ContentRange]
    }
    expect(await ranged('bytes=2-4')).toEqual(['234', 'bytes 2-4/10'])
    expect(await ranged('bytes=7-')).toEqual(['789', 'bytes 7-9/10'])
    expect(await ranged('bytes=-3')).toEqual(['789', 'bytes 7-9/10'])
    expect(await ranged('bytes=8-99')).toEqual(['89', 'bytes 8-9/10'])
    expect(await refusal(ranged('bytes=10-'))).toEqual({ name: 'InvalidRange', status: 416 })
  })

  test('an overwritten object leaves no blob behind, and a deleted one none at all', async () => {
    await put('twice', 'first')
    await put('twice', 'second')
    expect(await get('twice')).toEqual(Buffer.from('second'))
    expect(blobFiles()).toHaveLength(1)
    await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'twice' }))
    await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'twice' }))
    expect(blobFiles()).toEqual([])
    expect(await refusal(get('twice'))).toEqual({ name: 'NoSuchKey', status: 404 })
    expect(await refusal(s3.send(new HeadObjectCommand({ Bucket: bucket, Key: 'twice' })))).toEqual({
      name: 'NotFound',
      status: 404
    })
  })

  test('one request deletes many keys, absent ones included', async () => {
    for (const key of ['a', 'b&<', 'c']) await put(key)
    const { Deleted } = await s3.send(
      new DeleteObjectsCommand({
        Bucket: bucket,
        Delete: { Objects: [{ Key: 'a' }, { Key: 'b&<' }, { Key: 'absent' }] }
      })
    )
    expect(Deleted?.map((one) => one.Key)).toEqual(['a', 'b&<', 'absent'])
    expect(
      (await s3.send(new ListObjectsV2Command({ Bucket: bucket }))).Contents?.map((one) => one.Key)
    ).toEqual(['c'])
  })

  test('a copy has its own content and the headers of its source', async () => {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'from', Body: 'x', Metadata: { a: 'b' } }))
    await s3.send(new CopyObjectCommand({ Bucket: bucket, Key: 'to', CopySource: `${bucket}/from` }))
    await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'from' }))
    expect(await get('to')).toEqual(Buffer.from('x'))
    expect(await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: 'to' }))).toMatchObject({
      Metadata: { a: 'b' }
    })
  })

  test('buckets are those of the options; another is NoSuchBucket', async () => {
    expect((await s3.send(new ListBucketsCommand({}))).Buckets?.map((one) => one.Name)).toEqual([bucket])
    await s3.send(new HeadBucketCommand({ Bucket: bucket }))
    expect(await refusal(s3.send(new ListObjectsV2Command({ Bucket: 'other' })))).toEqual({
      name: 'NoSuchBucket',
      status: 404
    })
  })
})

describe('conditional writes', () => {
  const create = (Key: string, Body: string) =>
    s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body, IfNoneMatch: '*' }))

  test('of many rivals that create one key exactly one wins, and its content stays', async () => {
    const rivals = Array.from({ length: 8 }, (_, index) => `rival ${index}`)
    const results = await Promise.allSettled(rivals.map((rival) => create('entry', rival)))
    const winners = rivals.filter((_, index) => results[index]?.status === 'fulfilled')
    expect(winners).toHaveLength(1)
    expect((await get('entry')).toString()).toBe(winners[0])
    expect(await refusal(create('entry', 'late'))).toEqual({ name: 'PreconditionFailed', status: 412 })
    expect(blobFiles()).toHaveLength(1)
  })

  test('If-Match needs the present ETag', async () => {
    const replace = (IfMatch: string) =>
      s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'head', Body: 'new', IfMatch }))
    expect(await refusal(replace('"abc"'))).toEqual({ name: 'NoSuchKey', status: 404 })
    const { ETag = '' } = await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'head', Body: 'old' }))
    expect(await refusal(replace('"abc"'))).toEqual({ name: 'PreconditionFailed', status: 412 })
    await replace(ETag)
    expect((await get('head')).toString()).toBe('new')
  })

  test('a store told to ignore conditions overwrites silently', async () => {
    await restart({ ignoreConditions: true })
    await create('entry', 'first')
    await create('entry', 'second')
    expect((await get('entry')).toString()).toBe('second')
  })
})

describe('listing', () => {
  test('pages of any size put together are all keys, in the order of their bytes', async () => {
    const names = ['a', 'a/1', 'a/2', 'b/x/1', 'b/x/2', 'b/y', 'z', '\u{ffff}', '\u{10000}', 'é']
    for (const name of names) await put(name)
    const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const MaxKeys of [1, 3, 1000]) {
      const seen: (string | undefined)[] = []
      let ContinuationToken: string | undefined
      do {
        const page = await s3.send(new ListObjectsV2Command({ Bucket: bucket, MaxKeys, ContinuationToken }))
        seen.push(...(page.Contents ?? []).map((one) => one.Key))
        ContinuationToken = page.NextContinuationToken
      } while (ContinuationToken !== undefined)
      expect(seen).toEqual(sorted)
    }
  })

  test('a delimiter rolls keys up, also across pages, and start-after is exclusive', async () => {
    for (const name of ['a', 'd/1', 'd/2', 'e/1', 'f']) await put(name)
    const items: (string | undefined)[] = []
    let ContinuationToken: string | undefined
    do {
      const page = await s3.send(
        new ListObjectsV2Command({ Bucket: bucket, Delimiter: '/', MaxKeys: 1, ContinuationToken })
      )
      items.push(
        ...(page.Contents ?? []).map((one) => one.Key),
        ...(page.CommonPrefixes ?? []).map((one) => one.Prefix)
      )
      expect(page.KeyCount).toBe(1)
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken !== undefined)
    expect(items).toEqual(['a', 'd/', 'e/', 'f'])
    const after = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'd/', StartAfter: 'd/1' }))
    expect(after.Contents?.map((one) => one.Key)).toEqual(['d/2'])
  })
})

describe('multipart uploads', () => {
  const Key = 'big.parquet'
  const first = Buffer.alloc(fiveMiB, 1)
  const last = Buffer.from('the end')

  async function upload(parts: readonly Buffer[], config: { ChecksumAlgorithm?: 'SHA256' | 'CRC32' } = {}) {
    const { UploadId = '' } = await s3.send(
      new CreateMultipartUploadCommand({ Bucket: bucket, Key, Metadata: { entry: 'e1' }, ...config })
    )
    const Parts = []
    for (const [index, Body] of parts.entries()) {
      const PartNumber = index + 1
      const part = await s3.send(
        new UploadPartCommand({ Bucket: bucket, Key, UploadId, PartNumber, Body, ...config })
      )
      const { ETag, ChecksumSHA256, ChecksumCRC32 } = part
      Parts.push({ PartNumber, ETag, ChecksumSHA256, ChecksumCRC32 })
    }
    return { UploadId, Parts }
  }

  const complete = (
    { UploadId, Parts }: Awaited<ReturnType<typeof upload>>,
    extra: { IfNoneMatch?: string } = {}
  ) =>
    s3.send(
      new CompleteMultipartUploadCommand({
        Bucket: bucket,
        Key,
        UploadId,
        MultipartUpload: { Parts },
        ...extra
      })
    )

  test.each([undefined, 'SHA256', 'CRC32'] as const)(
    'an upload (checksum %s) is invisible until it is complete, over restarts of the store',
    async (ChecksumAlgorithm) => {
      const started = await upload(
        [first, last],
        ChecksumAlgorithm === undefined ? {} : { ChecksumAlgorithm }
      )
      await restart()
      expect((await s3.send(new ListObjectsV2Command({ Bucket: bucket }))).KeyCount).toBe(0)
      expect(await refusal(get(Key))).toMatchObject({ name: 'NoSuchKey' })
      const { ETag } = await complete(started)
      const md5s = [first, last].map((part) => createHash('md5').update(part).digest())
      expect(ETag).toBe(`"${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-2"`)
      await restart()
      expect(await get(Key)).toEqual(Buffer.concat([first, last]))
      const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key, ChecksumMode: 'ENABLED' }))
      expect(head).toMatchObject({ ContentLength: fiveMiB + last.length, Metadata: { entry: 'e1' } })
      if (ChecksumAlgorithm === 'SHA256') expect(head.ChecksumSHA256).toMatch(/-2$/)
      const middle = await s3.send(
        new GetObjectCommand({ Bucket: bucket, Key, Range: `bytes=${fiveMiB - 1}-${fiveMiB + 2}` })
      )
      expect(Buffer.from((await middle.Body?.transformToByteArray()) ?? [])).toEqual(Buffer.from('\u0001the'))
    }
  )

  test('a repeated Complete is NoSuchUpload, or the same result where the store is told so', async () => {
    const started = await upload([last])
    const { ETag } = await complete(started)
    expect(await refusal(complete(started))).toEqual({ name: 'NoSuchUpload', status: 404 })
    await restart({ repeatedComplete: 'same-result' })
    expect((await complete(started)).ETag).toBe(ETag)
    await put(Key, 'another object')
    expect(await refusal(complete(started))).toEqual({ name: 'NoSuchUpload', status: 404 })
  })

  test('Complete refuses small parts, wrong order, wrong ETags and missing checksums', async () => {
    const small = await upload([last, last])
    expect(await refusal(complete(small))).toEqual({ name: 'EntityTooSmall', status: 400 })
    const large = await upload([first, last], { ChecksumAlgorithm: 'SHA256' })
    const refused = async (Parts: typeof large.Parts) => await refusal(complete({ ...large, Parts }))
    expect(await refused(large.Parts.toReversed())).toMatchObject({ name: 'InvalidPartOrder' })
    expect(await refused(large.Parts.map((part) => ({ ...part, ETag: '"0"' })))).toMatchObject({
      name: 'InvalidPart'
    })
    expect(await refused(large.Parts.map((part) => ({ ...part, ChecksumSHA256: undefined })))).toMatchObject({
      name: 'InvalidRequest'
    })
    await complete(large)
  })

  test('If-None-Match holds for Complete, and the refused upload stays until it is aborted', async () => {
    await put(Key, 'already here')
    const started = await upload([last])
    expect(await refusal(complete(started, { IfNoneMatch: '*' }))).toEqual({
      name: 'PreconditionFailed',
      status: 412
    })
    const listed = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: 'big' }))
    expect(listed.Uploads?.map((one) => one.UploadId)).toEqual([started.UploadId])
    const { UploadId } = started
    const { Parts } = await s3.send(new ListPartsCommand({ Bucket: bucket, Key, UploadId }))
    expect(Parts).toMatchObject([{ PartNumber: 1, Size: last.length, ETag: started.Parts[0]?.ETag }])
    await s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }))
    expect(
      await refusal(s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId })))
    ).toEqual({
      name: 'NoSuchUpload',
      status: 404
    })
    expect(blobFiles()).toHaveLength(1)
  })
})

describe('authentication', () => {
  test('a wrong secret, an unknown key, a wrong region, no credentials and a wrong clock are told apart', async () => {
    const list = (config: S3ClientConfig) => refusal(client(config).send(new ListBucketsCommand({})))
    expect(await list({ credentials: { ...credentials, secretAccessKey: 'x' } })).toEqual({
      name: 'SignatureDoesNotMatch',
      status: 403
    })
    expect(await list({ credentials: { ...credentials, accessKeyId: 'x' } })).toMatchObject({
      name: 'InvalidAccessKeyId'
    })
    expect(await list({ region: 'eu-west-1' })).toMatchObject({ name: 'AuthorizationHeaderMalformed' })
    expect(await list({ systemClockOffset: 3_600_000 })).toMatchObject({ name: 'RequestTimeTooSkewed' })
    const anonymous = await fetch(`${store.endpoint}/${bucket}/x`)
    expect(anonymous.status).toBe(403)
    expect(await anonymous.text()).toContain('<Code>AccessDenied</Code>')
  })

  test('a large upload that is refused at once still hears why', async () => {
    const Body = Buffer.alloc(3_000_000)
    const stranger = client({ credentials: { ...credentials, secretAccessKey: 'x' } })
    for (const body of [Body, Readable.from([Body])]) {
      const upload = new PutObjectCommand({
        Bucket: bucket,
        Key: 'k',
        Body: body,
        ContentLength: Body.length
      })
      expect(await refusal(stranger.send(upload))).toMatchObject({ name: 'SignatureDoesNotMatch' })
    }
    stranger.destroy()
  })

  test('a streamed body with a trailing checksum is decoded and verified', async () => {
    const body = Buffer.alloc(300_000, 'streamed ')
    await s3.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: 'streamed',
        Body: Readable.from([body.subarray(0, 70_001), body.subarray(70_001)]),
        ContentLength: body.length,
        ChecksumAlgorithm: 'CRC32C'
      })
    )
    expect(await get('streamed')).toEqual(body)
    const head = await s3.send(
      new HeadObjectCommand({ Bucket: bucket, Key: 'streamed', ChecksumMode: 'ENABLED' })
    )
    expect(head.ChecksumCRC32C).toBeDefined()
    expect(head.ContentEncoding).toBeUndefined()
  })

  test('a wrong checksum is BadDigest and leaves nothing', async () => {
    const wrong = { Bucket: bucket, Key: 'bad', Body: 'abc' }
    const crc = Buffer.alloc(4).toString('base64')
    expect(await refusal(s3.send(new PutObjectCommand({ ...wrong, ChecksumCRC32: crc })))).toMatchObject({
      name: 'BadDigest'
    })
    expect(
      await refusal(s3.send(new PutObjectCommand({ ...wrong, ContentMD5: 'AAAAAAAAAAAAAAAAAAAAAA==' })))
    ).toMatchObject({ name: 'BadDigest' })
    expect(blobFiles()).toEqual([])
  })
})

describe('faults', () => {
  test('a lost reply has had its effect, a failure before has none, a full disk says so', async () => {
    store.faults.add({ subject: /^PUT raw\/lost$/, action: { type: 'lose-reply' } })
    store.faults.add({ subject: /^PUT raw\/before$/, action: { type: 'fail-before' } })
    store.faults.add({ subject: /^PUT raw\/full$/, action: { type: 'disk-full' } })
    store.faults.add({
      subject: /^POST raw\/slow\?uploads/,
      action: { type: 'answer', code: 503, error: 'SlowDown' }
    })
    await expect(put('lost')).rejects.toThrow()
    await expect(put('before')).rejects.toThrow()
    expect(await refusal(put('full'))).toEqual({ name: 'XMinioStorageFull', status: 507 })
    expect(await refusal(s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'slow' })))).toEqual(
      {
        name: 'SlowDown',
        status: 503
      }
    )
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }))
    expect(Contents?.map((one) => one.Key)).toEqual(['lost'])
  })
})
