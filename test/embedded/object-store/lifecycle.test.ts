import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateMultipartUploadCommand,
  GetBucketLifecycleConfigurationCommand,
  GetObjectTaggingCommand,
  type LifecycleRule,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  UploadPartCommand
} from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Disk } from '../../../src/embedded/object-store/disk.ts'
import {
  type EmbeddedObjectStore,
  startObjectStore
} from '../../../src/embedded/object-store/object-store.ts'

const Bucket = 'raw'
const credentials = { accessKeyId: 'AKTEST', secretAccessKey: 'secret' }
const DAY_MS = 24 * 3_600_000

let dataDir: string
let nowMs: number
let store: EmbeddedObjectStore
let s3: S3Client

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'object-store-'))
  nowMs = Date.UTC(2026, 10, 21, 18)
  await start()
})

afterEach(async () => {
  await stop()
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(): Promise<void> {
  const region = 'us-east-1'
  store = await startObjectStore({ dataDir, ...credentials, region, buckets: [Bucket], now: () => nowMs })
  await goTo(nowMs)
}

async function stop(): Promise<void> {
  s3.destroy()
  await store.stop()
}

/** The store's clock, and the one that its client signs by. */
async function goTo(ms: number): Promise<void> {
  nowMs = ms
  s3?.destroy()
  s3 = new S3Client({
    ...{ endpoint: store.endpoint, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1 },
    systemClockOffset: nowMs - Date.now()
  })
}

const put = (Key: string, Body = 'x', Tagging?: string) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body, Tagging }))
const rule = (more: Partial<LifecycleRule>) =>
  s3.send(
    new PutBucketLifecycleConfigurationCommand({
      Bucket,
      LifecycleConfiguration: { Rules: [{ ID: 'rule', Status: 'Enabled', Filter: { Prefix: '' }, ...more }] }
    })
  )
const keys = async () => {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }))
  return Contents.map(({ Key }) => Key)
}
const blobs = () => readdirSync(join(dataDir, 'blobs')).length

test('days are counted on to the next midnight, over restarts of the store', async () => {
  await rule({ Expiration: { Days: 1 } })
  await put('evening')
  await goTo(Date.UTC(2026, 10, 22, 23, 59, 59))
  await put('night')
  expect(await keys()).toEqual(['evening', 'night'])
  await stop()
  await start()
  expect(await keys()).toEqual(['evening', 'night'])
  await goTo(Date.UTC(2026, 10, 23))
  expect(await keys()).toEqual(['night'])
  expect(blobs()).toBe(1)
  await goTo(nowMs + DAY_MS)
  expect(await keys()).toEqual([])
  expect(blobs()).toBe(0)
})

test('a rule may ask for tags and sizes together; tags put later count', async () => {
  const Tags = [
    { Key: 'a', Value: '1' },
    { Key: 'b', Value: '2' }
  ]
  const And = { Prefix: 'p/', Tags, ObjectSizeGreaterThan: 2, ObjectSizeLessThan: 5 }
  await rule({ Filter: { And }, Expiration: { Days: 1 } })
  await put('p/both', 'abc', 'a=1&b=2')
  await put('p/one', 'abc', 'a=1')
  await put('p/small', 'ab', 'a=1&b=2')
  await put('p/large', 'abcde', 'a=1&b=2')
  await put('q/both', 'abc', 'a=1&b=2')
  await put('p/later', 'abc')
  await s3.send(new PutObjectTaggingCommand({ Bucket, Key: 'p/later', Tagging: { TagSet: Tags } }))
  const { Rules } = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))
  expect(Rules).toEqual([{ ID: 'rule', Status: 'Enabled', Filter: { And }, Expiration: { Days: 1 } }])
  await goTo(nowMs + 2 * DAY_MS)
  expect(await keys()).toEqual(['p/large', 'p/one', 'p/small', 'q/both'])
})

test('uploads that nobody completed are given up, and their parts removed', async () => {
  await rule({ Filter: { Prefix: 'p/' }, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 } })
  for (const Key of ['p/1', 'q/1']) {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'x' }))
  }
  const uploads = async () => {
    const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }))
    return Uploads.map(({ Key }) => Key)
  }
  await goTo(Date.UTC(2026, 10, 23, 23, 59))
  expect(await uploads()).toEqual(['p/1', 'q/1'])
  await goTo(Date.UTC(2026, 10, 24))
  expect(await uploads()).toEqual(['q/1'])
  expect(blobs()).toBe(1)
})

test('tags and lifecycles are there after a restart', async () => {
  await put('k', 'x', 'class=raw')
  await put('changed', 'x', 'class=raw')
  const TagSet = [{ Key: 'class', Value: 'fine' }]
  await s3.send(new PutObjectTaggingCommand({ Bucket, Key: 'changed', Tagging: { TagSet } }))
  await rule({ Expiration: { Days: 3 } })
  await stop()
  await start()
  const tags = async (Key: string) => (await s3.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet
  expect(await tags('k')).toEqual([{ Key: 'class', Value: 'raw' }])
  expect(await tags('changed')).toEqual(TagSet)
  expect(await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))).toMatchObject({
    Rules: [{ ID: 'rule', Expiration: { Days: 3 } }]
  })
})

test('a rule that gives up uploads has no tags to go by', async () => {
  const Filter = { Tag: { Key: 'a', Value: '1' } }
  const giveUp = rule({ Filter, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 } })
  await expect(giveUp).rejects.toMatchObject({ name: 'InvalidRequest' })
})

test('tags and lifecycles outlive the shortening of the journal', () => {
  const directory = join(dataDir, 'long')
  const disk = new Disk(directory, [Bucket])
  const object = { bucket: Bucket, key: 'k', bytes: 0, etag: '', modifiedMs: 0, headers: {}, blobs: [] }
  const rules = [
    { id: 'r', status: 'Enabled', filter: { prefix: '', tags: [] }, expiration: { days: 1 } }
  ] as const
  disk.put(object)
  disk.setLifecycle(Bucket, rules)
  for (let n = 0; n < 20_000; n++) disk.setTags(Bucket, 'k', [['n', String(n)]])
  disk.close()
  expect(statSync(join(directory, 'journal.ndjson')).size).toBeLessThan(10_000)
  const again = new Disk(directory, [])
  expect(again.object(Bucket, 'k')?.tags).toEqual([['n', '19999']])
  expect(again.lifecycle(Bucket)).toEqual(rules)
  again.close()
})
