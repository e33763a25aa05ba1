import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import { S3Store, type S3StoreOptions } from '../../../src/actors/s3/store.ts'
import { inParallel } from '../../../src/actors/store/parallel.ts'
import type { DataFile } from '../../../src/actors/store/store.ts'
import {
  type EmbeddedObjectStore,
  startObjectStore
} from '../../../src/embedded/object-store/object-store.ts'

const { signal } = new AbortController()
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
const region = 'us-east-1'
let directory: string
let s3: EmbeddedObjectStore
let store: S3Store

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-s3-'))
  s3 = await start('one')
  store = open(s3)
})
afterEach(() => s3.faults.clear())
afterAll(async () => {
  store.close()
  await s3.stop()
  await rm(directory, { recursive: true })
})

const start = (name: string, ignoreConditions = false) =>
  startObjectStore({
    ...{ dataDir: join(directory, name), region, ...credentials, buckets: ['lake'], ignoreConditions }
  })
const open = ({ endpoint }: EmbeddedObjectStore, more: Partial<S3StoreOptions> = {}) =>
  new S3Store({ bucket: 'lake', prefix: '', region, endpoint, pathStyle: true, credentials, ...more })
const fileOf = (path: string, bytes: number): DataFile => ({
  ...{ path, parts: [Buffer.alloc(bytes, 7)], bytes, entryId: 'c/0-n' }
})
const answer = (subject: RegExp, code: number, error: string, times = 1) =>
  s3.faults.add({ subject, action: { type: 'answer', code, error }, times })
const always = Number.POSITIVE_INFINITY

test('a store that ignores the condition is found out, and one that says it cannot', async () => {
  const silent = await start('silent', true)
  onTestFinished(() => silent.stop())
  const refused = { code: 'store-without-conditional-writes', retryable: false }
  await expect(open(silent).probe(signal)).rejects.toMatchObject(refused)
  answer(/^PUT/, 501, 'NotImplemented')
  await expect(store.probe(signal)).rejects.toMatchObject(refused)
})

test('a creation is refused at 412, doubtful at 409, 5xx and silence, and an error at 403', async () => {
  const create = (from = store) => from.create('a.json', Buffer.from('x'), signal)
  answer(/^PUT/, 412, 'PreconditionFailed')
  expect(await create()).toEqual({ outcome: 'exists' })
  for (const [code, error] of [
    [409, 'ConditionalRequestConflict'],
    [500, 'InternalError'],
    [503, 'SlowDown']
  ] as const) {
    answer(/^PUT/, code, error)
    expect(await create(), error).toMatchObject({ outcome: 'doubtful', fault: { retryable: true } })
  }
  s3.faults.add({ subject: /^PUT/, action: { type: 'hang' } })
  expect(await create(open(s3, { requestTimeoutMs: 200 }))).toMatchObject({ outcome: 'doubtful' })
  answer(/^PUT/, 403, 'AccessDenied')
  await expect(create()).rejects.toMatchObject({ code: 'store-denied', retryable: false })
  expect(await create()).toEqual({ outcome: 'created' })
})

test('absence is only what S3 says of the object', async () => {
  answer(/^GET/, 403, 'AccessDenied')
  await expect(store.read('none.json', signal)).rejects.toMatchObject({ code: 'store-denied' })
  answer(/^GET/, 503, 'SlowDown', always)
  await expect(store.read('none.json', signal)).rejects.toMatchObject({ code: 'store-unavailable' })
  s3.faults.clear()
  expect(await store.read('none.json', signal)).toBeUndefined()
  const elsewhere = open(s3, { bucket: 'ocean' })
  await expect(elsewhere.read('a.json', signal)).rejects.toMatchObject({ code: 'store-refused' })
  await expect(elsewhere.probe(signal)).rejects.toMatchObject({ code: 'store-refused' })
})

test('an answer that stops in its middle is given up, and may be asked for again', async () => {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const options = { bucket: 'lake', prefix: '', region, endpoint, pathStyle: true, credentials }
  const silent = new S3Store({ ...options, requestTimeoutMs: 200 })
  await expect(silent.read('a.json', signal)).rejects.toMatchObject({ retryable: true })
  expect(await silent.create('a.json', Buffer.from('x'), signal)).toMatchObject({ outcome: 'doubtful' })
  silent.close()
})

test('wrong credentials are told without the secret', async () => {
  const wrong = open(s3, { credentials: { ...credentials, secretAccessKey: 'guess-me' } })
  const failure = await wrong.read('a.json', signal).catch((error: Error) => error)
  expect(failure).toMatchObject({ code: 'store-denied', retryable: false })
  expect(JSON.stringify(failure) + String(failure)).not.toContain('guess-me')
})

test('a greater file goes up in parts of at least 5 MiB, each with its checksum', async () => {
  const file = fileOf('big.parquet', 20 * 1024 * 1024)
  const preparation = await store.prepare(file, signal)
  if (preparation.type !== 'multipart') throw new Error('not an upload')
  expect(preparation.checksumAlgorithm).toBe('SHA256')
  expect(preparation.parts.length).toBeGreaterThan(1)
  for (const { bytes, checksum } of preparation.parts.slice(0, -1)) {
    expect(bytes).toBeGreaterThanOrEqual(5 * 1024 * 1024)
    expect(checksum).toMatch(/^.{43}=$/)
  }
  await store.publish({ ...file, preparation }, signal)
  expect(await store.stat(file.path, signal)).toEqual({ bytes: file.bytes, entryId: 'c/0-n' })
})

test('HEAD decides about a completion, whatever its answer', async () => {
  const file = fileOf('done.parquet', 10)
  const prepared = { ...file, preparation: await store.prepare(file, signal) }
  answer(/^POST .*uploadId/, 200, 'InternalError')
  await expect(store.publish(prepared, signal)).rejects.toMatchObject({ retryable: true })
  answer(/^POST .*uploadId/, 403, 'AccessDenied')
  await expect(store.publish(prepared, signal)).rejects.toMatchObject({ code: 'publish-blocked' })
  answer(/^POST .*uploadId/, 404, 'NoSuchUpload')
  await expect(store.publish(prepared, signal)).rejects.toMatchObject({ code: 'prepared-gone' })
  await store.publish(prepared, signal)
  answer(/^POST .*uploadId/, 500, 'InternalError')
  await store.publish(prepared, signal)
})

test('an upload that is gone is known, also to a store that fails over its completion', async () => {
  const file = fileOf('gone.parquet', 10)
  const prepared = { ...file, preparation: await store.prepare(file, signal) }
  answer(/^POST .*uploadId/, 500, 'InternalError')
  await expect(store.publish(prepared, signal)).rejects.toMatchObject({ code: 'store-unavailable' })
  answer(/^POST .*uploadId/, 500, 'InternalError')
  answer(/^GET .*uploadId/, 503, 'SlowDown', 3)
  await expect(store.publish(prepared, signal)).rejects.toMatchObject({ code: 'store-unavailable' })
  await store.discard(prepared.preparation, signal)
  answer(/^POST .*uploadId/, 500, 'InternalError')
  await expect(store.publish(prepared, signal)).rejects.toMatchObject({ code: 'prepared-gone' })
})

test('another object at the path is not taken for ours', async () => {
  const file = fileOf('taken.parquet', 10)
  const prepared = { ...file, preparation: await store.prepare(file, signal) }
  await store.publish(prepared, signal)
  const other = { ...prepared, entryId: 'c/0-another' }
  await expect(store.publish(other, signal)).rejects.toMatchObject({ code: 'publish-blocked' })
})

test('a part that is lost is sent again; an upload that fails is given up', async () => {
  s3.faults.add({ subject: /^PUT .*partNumber/, action: { type: 'lose-reply' } })
  const file = fileOf('again.parquet', 10)
  await store.publish({ ...file, preparation: await store.prepare(file, signal) }, signal)
  answer(/^PUT .*partNumber/, 403, 'AccessDenied')
  await expect(store.prepare(fileOf('never.parquet', 10), signal)).rejects.toMatchObject({
    code: 'store-denied'
  })
})

test('a listing goes through all its pages', async () => {
  const names = Array.from({ length: 1_050 }, (_, index) => `many/${String(index).padStart(5, '0')}`)
  await inParallel(names, 16, (name) => store.create(name, Buffer.from('x'), signal))
  const found: string[] = []
  for await (const { path } of store.list('many/', { startAfter: 'many/00009' }, signal)) found.push(path)
  expect(found).toEqual(names.slice(10))
})
