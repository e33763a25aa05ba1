import { GetObjectTaggingCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { createClient } from '../../src/actors/s3/client.ts'
import { S3Store } from '../../src/actors/s3/store.ts'
import type { S3WriteOptions } from '../../src/actors/s3/writing.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasMinio, minioKms, startMinio } from './minio.ts'
import { hasMoto, startMoto } from './moto.ts'
import type { RealS3 } from './s3.ts'
import { hasVersitygw, startVersitygw } from './versitygw.ts'

const defer = cleanups()
const { signal } = new AbortController()
const tags = { class: 'raw', owner: 'a b' }

async function open(starting: Promise<RealS3>, options: S3WriteOptions) {
  const s3 = await starting
  defer(() => s3.stop())
  await s3.createBucket('lake')
  const { endpoint, region, accessKeyId, secretAccessKey } = s3
  const access = { endpoint, region, pathStyle: true, credentials: { accessKeyId, secretAccessKey } }
  const store = new S3Store({ bucket: 'lake', prefix: 'road', ...access, ...options })
  defer(() => store.close())
  const client = createClient(access, 1)
  defer(() => client.destroy())
  return { store, client }
}

/** How a file and an entry of the log are kept that a sink has written. */
async function written({ store, client }: Awaited<ReturnType<typeof open>>) {
  await store.probe(signal)
  const file = { path: 'data/s/x.parquet', parts: [Buffer.alloc(100, 7)], bytes: 100 }
  const ours = { ...file, entryId: 'c/0-n' }
  await store.publish({ ...ours, preparation: await store.prepare(ours, signal) }, signal)
  await store.create('log/v1/e.json', Buffer.from('{}'), signal)
  const kept = async (path: string) => {
    const place = { Bucket: 'lake', Key: `road/${path}` }
    const { ServerSideEncryption, SSEKMSKeyId, StorageClass } = await client.send(
      new HeadObjectCommand(place)
    )
    const { TagSet = [] } = await client.send(new GetObjectTaggingCommand(place))
    // By name: versitygw tells tags in an order that changes.
    const tagged = Object.fromEntries(TagSet.map(({ Key, Value }) => [Key, Value]))
    return { ServerSideEncryption, SSEKMSKeyId, StorageClass, tagged }
  }
  return { file: await kept(file.path), log: await kept('log/v1/e.json') }
}

describe.runIf(hasMinio)('MinIO', () => {
  test('with a KMS encrypts what is copied to its place, and keeps its class and tags', async () => {
    const options = { sse: 'kms', kmsKey: 'events', storageClass: 'REDUCED_REDUNDANCY', tags } as const
    const { file, log } = await written(await open(startMinio({ env: minioKms }), options))
    const encrypted = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: expect.stringContaining('events') }
    expect(file).toMatchObject({ ...encrypted, StorageClass: 'REDUCED_REDUNDANCY', tagged: tags })
    expect(log).toMatchObject({ ...encrypted, StorageClass: undefined, tagged: {} })
    const own = await written(await open(startMinio({ env: minioKms }), { sse: 's3' }))
    expect(own.file.ServerSideEncryption).toBe('AES256')
  })

  test('without a KMS is refused, and not for its conditional writes; a class that it lacks, too', async () => {
    const { store } = await open(startMinio(), { sse: 's3' })
    await expect(store.probe(signal)).rejects.toMatchObject({ code: 'store-without-encryption' })
    const { store: warm } = await open(startMinio(), { storageClass: 'STANDARD_IA' })
    await expect(warm.probe(signal)).rejects.toMatchObject({ code: 'store-refused' })
  })
})

describe.runIf(hasMoto)('moto', () => {
  test('is told encryption, class and tags of each copy', async () => {
    const options = { sse: 'kms', kmsKey: 'events', storageClass: 'STANDARD_IA', tags } as const
    const { file, log } = await written(await open(startMoto(), options))
    const encrypted = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'events' }
    expect(file).toMatchObject({ ...encrypted, StorageClass: 'STANDARD_IA', tagged: tags })
    expect(log).toMatchObject({ ...encrypted, StorageClass: undefined, tagged: {} })
  })
})

describe.runIf(hasVersitygw)('versitygw', () => {
  test('passes over encryption, which is found out; it keeps tags', async () => {
    const { store } = await open(startVersitygw(), { sse: 's3' })
    await expect(store.probe(signal)).rejects.toMatchObject({ code: 'store-without-encryption' })
    const { file, log } = await written(await open(startVersitygw(), { tags }))
    expect([file.tagged, log.tagged]).toEqual([tags, {}])
  })
})
