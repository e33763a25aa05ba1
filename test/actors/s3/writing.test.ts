import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectTaggingCommand, HeadObjectCommand, S3ServiceException } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { createClient } from '../../../src/actors/s3/client.ts'
import { S3Store } from '../../../src/actors/s3/store.ts'
import {
  demandEncryption,
  type S3WriteOptions,
  unableTo,
  writeHeaders
} from '../../../src/actors/s3/writing.ts'
import type { DataFile } from '../../../src/actors/store/store.ts'
import { startObjectStore } from '../../../src/embedded/object-store/object-store.ts'
import { cleanups } from '../../tools/cleanup.ts'

const defer = cleanups()
const { signal } = new AbortController()
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
const tags = { class: 'raw', 'o/w:n': 'a + b=c' }

async function start(server: string, options: S3WriteOptions) {
  const dataDir = mkdtempSync(join(tmpdir(), 'causeway-s3-'))
  defer(() => rmSync(dataDir, { recursive: true, force: true }))
  const region = 'us-east-1'
  const s3 = await startObjectStore({ dataDir, region, ...credentials, buckets: ['lake'], server })
  defer(() => s3.stop())
  const access = { region, endpoint: s3.endpoint, pathStyle: true, credentials }
  const store = new S3Store({ bucket: 'lake', prefix: '', ...access, ...options })
  defer(() => store.close())
  const client = createClient(access, 1)
  defer(() => client.destroy())
  const kept = async (Key: string) => {
    const head = await client.send(new HeadObjectCommand({ Bucket: 'lake', Key }))
    const { TagSet = [] } = await client.send(new GetObjectTaggingCommand({ Bucket: 'lake', Key }))
    const { ServerSideEncryption: sse, SSEKMSKeyId: key, StorageClass: storageClass, Metadata } = head
    const tags = Object.fromEntries(TagSet.map(({ Key, Value }) => [Key, Value]))
    return { sse, key, storageClass, tags, entry: Metadata?.['causeway-entry'] }
  }
  return { s3, store, kept }
}

const fileOf = (bytes: number): DataFile => ({
  ...{ path: `data/${bytes}.parquet`, parts: [Buffer.alloc(bytes, 7)], bytes },
  entryId: 'c/0-n'
})

describe.each(['AmazonS3', 'MinIO'])('on %s', (server) => {
  test.each([10, 9 * 1024 * 1024])(
    `a file of %d bytes on ${server} is encrypted, in its class, with its tags`,
    async (bytes) => {
      const options = { sse: 'kms', kmsKey: 'alias/k', storageClass: 'STANDARD_IA', tags } as const
      const { store, kept } = await start(server, options)
      await store.probe(signal)
      const file = fileOf(bytes)
      const preparation = await store.prepare(file, signal)
      if (preparation.type === 'rename') {
        const staged = { sse: 'aws:kms', key: 'alias/k', storageClass: undefined, tags, entry: 'c/0-n' }
        expect(await kept(preparation.temporary)).toEqual(staged)
      }
      expect(preparation.type).toBe(server === 'MinIO' ? 'rename' : 'multipart')
      await store.publish({ ...file, preparation }, signal)
      expect(await kept(file.path)).toEqual({
        ...{ sse: 'aws:kms', key: 'alias/k', storageClass: 'STANDARD_IA', tags, entry: 'c/0-n' }
      })
    }
  )

  test('the log is encrypted like the files, and has neither their class nor their tags', async () => {
    const { store, kept } = await start(server, { sse: 's3', storageClass: 'GLACIER_IR', tags })
    await store.create('log/v1/e.json', Buffer.from('{}'), signal)
    await store.replace('log/v1/head.json', Buffer.from('{}'), signal)
    for (const path of ['log/v1/e.json', 'log/v1/head.json']) {
      expect(await kept(path)).toMatchObject({ sse: 'AES256', storageClass: undefined, tags: {} })
    }
  })

  test('nothing is asked for that nobody configured', async () => {
    const { store, kept } = await start(server, {})
    await store.probe(signal)
    const file = fileOf(10)
    await store.publish({ ...file, preparation: await store.prepare(file, signal) }, signal)
    const none = { sse: undefined, key: undefined, storageClass: undefined, tags: {}, entry: 'c/0-n' }
    expect(await kept(file.path)).toEqual(none)
  })
})

test('a class or tags that the store does not take are found out by the probe, which leaves nothing', async () => {
  const { s3, store } = await start('AmazonS3', { tags })
  const answer = { type: 'answer', code: 400, error: 'InvalidStorageClass' } as const
  s3.faults.add({ subject: /^PUT lake\/staging\/probe/, action: answer })
  await expect(store.probe(signal)).rejects.toMatchObject({ code: 'store-refused', retryable: false })
  await store.probe(signal)
  for await (const { path } of store.list('', {}, signal)) throw new Error(`${path} is left`)
})

test('a store that passes over the encryption, or has none, is found out', () => {
  const { log } = writeHeaders({ sse: 's3' })
  expect(() => demandEncryption(log, {}, 's3://lake')).toThrow('s3://lake does not encrypt')
  expect(() => demandEncryption(log, { ServerSideEncryption: 'aws:kms' }, 's3://lake')).toThrow()
  demandEncryption(log, { ServerSideEncryption: 'AES256' }, 's3://lake')
  demandEncryption({}, { ServerSideEncryption: 'AES256' }, 's3://lake')
  const answer = (message: string, httpStatusCode: number) =>
    new S3ServiceException({
      ...{ name: 'NotImplemented', $fault: 'server', message, $metadata: { httpStatusCode } }
    })
  const without = answer('Server side encryption specified but KMS is not configured', 501)
  expect(unableTo(without, log, 's3://lake')?.code).toBe('store-without-encryption')
  expect(unableTo(without, {}, 's3://lake')?.code).toBe('store-without-conditional-writes')
  expect(unableTo(answer('A header', 501), log, 's3://lake')?.code).toBe('store-without-conditional-writes')
  expect(unableTo(answer('A header', 400), log, 's3://lake')).toBeUndefined()
})

test('a KMS that is asked too much is asked again later', async () => {
  const { s3, store } = await start('AmazonS3', { sse: 'kms' })
  const answer = { type: 'answer', code: 400, error: 'KMS.ThrottlingException' } as const
  s3.faults.add({ subject: /^PUT/, action: answer })
  const created = await store.create('log/v1/e.json', Buffer.from('{}'), signal)
  expect(created).toMatchObject({ outcome: 'doubtful', fault: { retryable: true } })
})
