import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createClient } from '../../../src/actors/s3/client.ts'
import { S3Store } from '../../../src/actors/s3/store.ts'
import type { DataFile, PreparedFile } from '../../../src/actors/store/store.ts'
import {
  type EmbeddedObjectStore,
  startObjectStore
} from '../../../src/embedded/object-store/object-store.ts'

/** How files are published where a completion that is cut may be lost: everywhere but on AWS. */
const { signal } = new AbortController()
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
const region = 'us-east-1'
let directory: string
let s3: EmbeddedObjectStore
let store: S3Store

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-s3-'))
  s3 = await startObjectStore({
    dataDir: directory,
    region,
    ...credentials,
    buckets: ['lake'],
    server: 'MinIO'
  })
  const { endpoint } = s3
  store = new S3Store({ bucket: 'lake', prefix: 'road', region, endpoint, pathStyle: true, credentials })
  await store.probe(signal)
})
afterEach(() => s3.faults.clear())
afterAll(async () => {
  store.close()
  await s3.stop()
  await rm(directory, { recursive: true })
})

const fileOf = (path: string, bytes: number): DataFile => ({
  ...{ path, parts: [Buffer.alloc(bytes - 1, 7), Buffer.from('x')], bytes },
  entryId: 'c/0-n'
})
const prepared = async (file: DataFile): Promise<PreparedFile> => ({
  ...file,
  preparation: await store.prepare(file, signal)
})
const staged = async (): Promise<string[]> => {
  const paths: string[] = []
  for await (const { path } of store.list('staging/', {}, signal)) paths.push(path)
  return paths
}

test.each([10, 20 * 1024 * 1024])('%d bytes are staged whole, copied, and staged no more', async (bytes) => {
  const file = await prepared(fileOf(`${bytes}.parquet`, bytes))
  expect(file.preparation).toEqual({ type: 'rename', temporary: expect.stringMatching(/^staging\//) })
  expect(await store.stat(file.path, signal)).toBeUndefined()
  await store.publish(file, signal)
  expect(await store.stat(file.path, signal)).toEqual({ bytes, entryId: 'c/0-n' })
  expect(await staged()).toEqual([])
})

test('a copy that was made need not be made again, and one without its source is gone', async () => {
  const file = await prepared(fileOf('copied.parquet', 10))
  await store.publish(file, signal)
  await store.publish(file, signal)
  await store.remove(file.path, signal)
  await expect(store.publish(file, signal)).rejects.toMatchObject({ code: 'prepared-gone' })
})

test('a copy brings its own metadata, and does not need that of its source', async () => {
  const file = await prepared(fileOf('described.parquet', 10))
  if (file.preparation.type !== 'rename') throw new Error('not staged')
  const client = createClient({ region, endpoint: s3.endpoint, pathStyle: true, credentials }, 1)
  const at = (path: string) => ({ Bucket: 'lake', Key: `road/${path}` })
  // What versitygw copies when the source is removed after its content was opened.
  await client.send(new PutObjectCommand({ ...at(file.preparation.temporary), Body: 'without it' }))
  await store.publish(file, signal)
  const { ContentType, Metadata } = await client.send(new HeadObjectCommand(at(file.path)))
  client.destroy()
  expect(ContentType).toBe('application/vnd.apache.parquet')
  expect(Metadata).toEqual({ 'causeway-entry': 'c/0-n' })
})

test('what is staged and cannot be removed is in nobody’s way', async () => {
  const file = await prepared(fileOf('kept.parquet', 10))
  s3.faults.add({ subject: /^DELETE/, action: { type: 'answer', code: 403, error: 'AccessDenied' } })
  await store.publish(file, signal)
  expect(await staged()).toHaveLength(1)
  await store.discard(file.preparation, signal)
  expect(await staged()).toEqual([])
})

test('a copy that is refused for good blocks, and says so', async () => {
  const file = await prepared(fileOf('refused.parquet', 10))
  s3.faults.add({ subject: /^PUT .*refused/, action: { type: 'answer', code: 403, error: 'AccessDenied' } })
  await expect(store.publish(file, signal)).rejects.toMatchObject({ code: 'publish-blocked' })
  await store.publish(file, signal)
})

test('a staged upload whose completion was cut is made anew', async () => {
  const answer = { type: 'answer', code: 400, error: 'InvalidPart' } as const
  s3.faults.add({ subject: /^POST .*staging.*uploadId/, action: answer })
  const big = fileOf('cut.parquet', 9 * 1024 * 1024)
  const unavailable = { code: 'store-unavailable', retryable: true }
  await expect(store.prepare(big, signal)).rejects.toMatchObject(unavailable)
  await store.publish(await prepared(big), signal)
})
