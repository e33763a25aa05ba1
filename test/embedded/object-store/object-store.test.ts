import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand
} from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type EmbeddedObjectStore,
  type ObjectStoreOptions,
  startObjectStore
} from '../../../src/embedded/object-store/object-store.ts'
import { refusal } from '../../conformance/object-store/bench.ts'

/** What only this store has: its files, its faults and its manners. The protocol is the conformance suite's. */
const bucket = 'raw'
const credentials = { accessKeyId: 'AKTEST', secretAccessKey: 'secret/+key' }
const fiveMiB = 5 * 1024 ** 2
const last = Buffer.from('the end')
const Key = 'big.parquet'

let dataDir: string
let store: EmbeddedObjectStore
let s3: S3Client

async function start(options: Partial<ObjectStoreOptions> = {}): Promise<void> {
  const region = 'us-east-1'
  store = await startObjectStore({ dataDir, ...credentials, region, buckets: [bucket], ...options })
  s3 = new S3Client({ endpoint: store.endpoint, region, forcePathStyle: true, credentials, maxAttempts: 1 })
}

async function stop(): Promise<void> {
  s3.destroy()
  await store.stop()
}

async function restart(options: Partial<ObjectStoreOptions> = {}): Promise<void> {
  await stop()
  await start(options)
}

async function put(key: string, Body: string | Buffer = key, IfNoneMatch?: string): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body, IfNoneMatch }))
}

async function get(key: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

async function keys(): Promise<(string | undefined)[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }))
  return Contents.map((one) => one.Key)
}

function blobFiles(): string[] {
  return readdirSync(join(dataDir, 'blobs'))
}

async function upload(parts: readonly Buffer[], config: { ChecksumAlgorithm?: 'SHA256' } = {}) {
  const create = { Bucket: bucket, Key, Metadata: { entry: 'e1' }, ...config }
  const { UploadId = '' } = await s3.send(new CreateMultipartUploadCommand(create))
  const Parts = []
  for (const [index, Body] of parts.entries()) {
    const PartNumber = index + 1
    const part = { Bucket: bucket, Key, UploadId, PartNumber, Body, ...config }
    const { ETag, ChecksumSHA256 } = await s3.send(new UploadPartCommand(part))
    Parts.push({ PartNumber, ETag, ChecksumSHA256 })
  }
  return { UploadId, Parts }
}

const complete = ({ UploadId, Parts }: Awaited<ReturnType<typeof upload>>) =>
  s3.send(new CompleteMultipartUploadCommand({ Bucket: bucket, Key, UploadId, MultipartUpload: { Parts } }))

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'object-store-'))
  await start()
})

afterEach(async () => {
  await stop()
  rmSync(dataDir, { recursive: true, force: true })
})

describe('over restarts', () => {
  const names = ['plain', 'a/../b', '/lead', 'tränen 🌊+&=%2F?#', 'k'.repeat(1024), 'dot/.']
  test.each(names)('key %j keeps its content, headers and name', async (name) => {
    const headers = { ContentType: 'text/x-test', Metadata: { entry: 'abc-1' } }
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: name, Body: `content of ${name}`, ...headers }))
    await restart()
    const got = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: name }))
    expect(await got.Body?.transformToString()).toBe(`content of ${name}`)
    expect(got).toMatchObject(headers)
    expect(await keys()).toEqual([name])
  })

  test.each([undefined, 'SHA256'] as const)('an upload (checksum %s) can be completed', async (algorithm) => {
    const first = Buffer.alloc(fiveMiB, 1)
    const started = await upload([first, last], algorithm && { ChecksumAlgorithm: algorithm })
    await restart()
    expect(await keys()).toEqual([])
    await complete(started)
    await restart()
    expect((await get(Key)).equals(Buffer.concat([first, last]))).toBe(true)
    const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key, ChecksumMode: 'ENABLED' }))
    expect(head).toMatchObject({ ContentLength: fiveMiB + last.length, Metadata: { entry: 'e1' } })
    if (algorithm !== undefined) expect(head.ChecksumSHA256).toMatch(/-2$/)
  })
})

describe('blobs', () => {
  test('an overwritten object leaves none behind, and a deleted one none at all', async () => {
    await put('twice', 'first')
    await put('twice', 'second')
    expect(blobFiles()).toHaveLength(1)
    await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'twice' }))
    expect(blobFiles()).toEqual([])
  })

  test('refused writes and aborted uploads leave none', async () => {
    await put('entry', 'here', '*')
    await refusal(put('entry', 'late', '*'))
    const wrong = { Bucket: bucket, Key: 'bad', Body: 'abc', ContentMD5: 'AAAAAAAAAAAAAAAAAAAAAA==' }
    await refusal(s3.send(new PutObjectCommand(wrong)))
    const { UploadId } = await upload([last])
    expect(blobFiles()).toHaveLength(2)
    await s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }))
    expect(blobFiles()).toHaveLength(1)
  })
})

describe('manners', () => {
  test('a store told to ignore conditions overwrites silently', async () => {
    await restart({ ignoreConditions: true })
    await put('entry', 'first', '*')
    await put('entry', 'second', '*')
    expect((await get('entry')).toString()).toBe('second')
  })

  test('a repeated Complete is NoSuchUpload, or the same result where the store is told so', async () => {
    const gone = { name: 'NoSuchUpload', status: 404 }
    const started = await upload([last])
    const { ETag } = await complete(started)
    expect(await refusal(complete(started))).toEqual(gone)
    await restart({ repeatedComplete: 'same-result' })
    expect((await complete(started)).ETag).toBe(ETag)
    await put(Key, 'another object')
    expect(await refusal(complete(started))).toEqual(gone)
  })

  test('a continuation token that no listing gave is refused', async () => {
    const list = s3.send(new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: '!!' }))
    expect(await refusal(list)).toEqual({ name: 'InvalidArgument', status: 400 })
  })
})

test('a lost reply has had its effect, a failure before has none, a full disk says so', async () => {
  store.faults.add({ subject: /^PUT raw\/lost$/, action: { type: 'lose-reply' } })
  store.faults.add({ subject: /^PUT raw\/before$/, action: { type: 'fail-before' } })
  store.faults.add({ subject: /^PUT raw\/full$/, action: { type: 'disk-full' } })
  const slow = { type: 'answer', code: 503, error: 'SlowDown' } as const
  store.faults.add({ subject: /^POST raw\/slow\?uploads/, action: slow })
  await expect(put('lost')).rejects.toThrow()
  await expect(put('before')).rejects.toThrow()
  expect(await refusal(put('full'))).toEqual({ name: 'XMinioStorageFull', status: 507 })
  const create = s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'slow' }))
  expect(await refusal(create)).toEqual({ name: 'SlowDown', status: 503 })
  expect(await keys()).toEqual(['lost'])
})
