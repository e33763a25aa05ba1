import { randomInt } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startObjectStore } from '../../../src/embedded/object-store/object-store.ts'
import { spawnService } from '../child-service.ts'

const bucket = 'raw'
const credentials = { accessKeyId: 'AK', secretAccessKey: 'secret' }

let options: Parameters<typeof startObjectStore>[0]

beforeEach(() => {
  const dataDir = mkdtempSync(join(tmpdir(), 'object-store-'))
  options = { dataDir, ...credentials, region: 'us-east-1', buckets: [bucket] }
})

afterEach(() => rmSync(options.dataDir, { recursive: true, force: true }))

function client(port: number): S3Client {
  return new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
    maxAttempts: 1
  })
}

const content = (key: string) => Buffer.alloc(50_000, key)

test('kill -9 amid writes: what was acknowledged is whole, what was not is whole or absent', async () => {
  const acknowledged = new Set<string>()
  const attempted = new Set<string>()
  for (let life = 0; life < 2; life++) {
    const service = await spawnService('object-store/object-store.ts', 'startObjectStore', options)
    const s3 = client(service.port)
    const writer = async (name: string) => {
      for (let number = 0; ; number++) {
        const Key = `${life}/${name}/${number}`
        attempted.add(Key)
        await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: content(Key), IfNoneMatch: '*' }))
        acknowledged.add(Key)
        if (acknowledged.size >= goal) void service.kill()
      }
    }
    const goal = acknowledged.size + randomInt(10, 60)
    const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd'].map(writer))
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
    await service.kill()
    s3.destroy()
  }
  const store = await startObjectStore(options)
  const s3 = client(store.port)
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }))
  const listed = Contents.map((one) => one.Key ?? '')
  expect([...acknowledged].filter((key) => !listed.includes(key))).toEqual([])
  expect(listed.filter((key) => !attempted.has(key))).toEqual([])
  for (const Key of listed) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }))
    expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(content(Key)), Key).toBe(true)
  }
  expect(readdirSync(join(options.dataDir, 'blobs'))).toHaveLength(listed.length)
  s3.destroy()
  await store.stop()
})
