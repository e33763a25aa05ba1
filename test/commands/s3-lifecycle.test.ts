import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LifecycleRule, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../src/actors/s3/client.ts'
import { S3Store } from '../../src/actors/s3/store.ts'
import { type EmbeddedObjectStore, startObjectStore } from '../../src/embedded/object-store/object-store.ts'
import { CausewayProcess } from '../support/causeway-process.ts'
import { rulesOf, runLifecycle, setRules } from '../support/s3-lifecycle.ts'

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
const DAY_MS = 86_400_000
const { signal } = new AbortController()
let directory: string
let nowMs: number
let s3: EmbeddedObjectStore
let client: S3Client
let endpoint: string
let keys: typeof credentials | undefined

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-lifecycle-'))
  nowMs = Date.now()
  const place = { dataDir: join(directory, 's3'), region: 'us-east-1', ...credentials }
  s3 = await startObjectStore({ ...place, buckets: ['lake'], now: () => nowMs })
  endpoint = s3.endpoint
  keys = credentials
  client = createClient({ region: 'us-east-1', endpoint, pathStyle: true, credentials }, 1)
})
afterEach(async () => {
  client.destroy()
  await s3.stop()
  rmSync(directory, { recursive: true, force: true })
})

const lifecycle = (ttl: string | undefined, ...args: readonly string[]) =>
  runLifecycle({ directory, endpoint, keys }, ttl, ...args)
const rules = () => rulesOf(client)

const theirs: LifecycleRule = {
  ...{ ID: 'theirs', Status: 'Enabled', Filter: { Prefix: 'theirs/' }, Expiration: { Days: 5 } }
}

test('a plan writes nothing; an application writes it once, beside the rules of others', async () => {
  await setRules(client, [theirs])
  for (const args of [[], ['--plan']]) {
    const { exitCode, out } = await lifecycle('30d', ...args)
    expect(exitCode).toBe(0)
    expect(out).toContain('  kept      theirs  theirs/: expires after 5 days')
    expect(out).toMatch(
      /\+ added +causeway\/hybrid\.crucial\/data\/[0-9a-f]{8} {2}road\/data\/hybrid\.crucial\/: expires after 30 days/
    )
  }
  expect(await rules()).toEqual([theirs])
  expect((await lifecycle('30d', '--apply')).out).toContain('s3://lake: 3 rules written and read back')
  const [first, data, dead] = await rules()
  expect(first).toEqual(theirs)
  expect(data).toMatchObject({
    Filter: { Prefix: 'road/data/hybrid.crucial/' },
    Expiration: { Days: 30 },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 }
  })
  expect(dead).toMatchObject({ Filter: { Prefix: 'road/dead/hybrid.crucial/' }, Expiration: { Days: 30 } })
  expect((await lifecycle('30d', '--apply')).out).toContain('all rules are there; nothing is written')
  expect(JSON.parse((await lifecycle('30d', '--json')).out)).toEqual([
    { Bucket: 'lake', LifecycleConfiguration: { Rules: await rules() } }
  ])
  expect((await lifecycle(undefined, '--apply')).exitCode).toBe(0)
  expect((await rules()).map(({ Expiration }) => Expiration?.Days)).toEqual([5, undefined, undefined])
})

test('files and dead letters expire at the midnight after their days, and the log stays', async () => {
  expect((await lifecycle('2d', '--apply')).exitCode).toBe(0)
  const place = { region: 'us-east-1', endpoint: s3.endpoint, credentials }
  const store = new S3Store({ bucket: 'lake', prefix: 'road', pathStyle: true, ...place })
  const files = [
    'data/hybrid.crucial/x/dt=2026-11-21/x+0+0+9+aa.parquet',
    'dead/hybrid.crucial/x/x+0+0+9+aa.ndjson'
  ]
  const kept = ['data/hybrid.other/x/x+0+0+9+aa.parquet', 'log/v1/hybrid.crucial/x/id-g1/0/head.json']
  for (const path of [...files, ...kept]) await store.replace(path, Buffer.from('x'), signal)
  const midnight = (Math.floor(nowMs / DAY_MS) + 3) * DAY_MS
  const there = async (clock: number) => {
    nowMs = clock
    const later = new S3Client({ ...place, forcePathStyle: true, systemClockOffset: nowMs - Date.now() })
    const { Contents = [] } = await later.send(new ListObjectsV2Command({ Bucket: 'lake' }))
    later.destroy()
    return Contents.map(({ Key = '' }) => Key.replace('road/', ''))
  }
  expect(await there(midnight - 1_000)).toEqual([...files, ...kept].sort())
  expect(await there(midnight)).toEqual(kept.toSorted())
  store.close()
})

test('whoever writes a ttl that S3 cannot keep is told why', async () => {
  for (const ttl of ['12h', '36h', '0d', '1.5d', '30', '101y', '40000d']) {
    const { exitCode, err } = await lifecycle(ttl)
    expect(exitCode, ttl).toBe(2)
    expect(err).toContain(`s3_sink.crucial.ttl = "${ttl}" is not allowed; allowed: whole days from "1d"`)
    expect(err).toContain('midnight UTC')
  }
  expect((await lifecycle('24h')).exitCode).toBe(0)
})

test('nothing is written where a rule of others takes the commit log', async () => {
  await setRules(client, [{ ...theirs, Filter: { Prefix: 'road/' } }])
  const { exitCode, out, err } = await lifecycle('30d', '--apply')
  expect(exitCode).toBe(1)
  expect(out).toContain('! the rule "theirs" takes the commit log: road/log/v1/hybrid.crucial/')
  expect(err).toContain('narrow that rule first')
  expect(await rules()).toHaveLength(1)
})

test('a store without lifecycles is told, and is an error only where something is to expire', async () => {
  const without = () =>
    s3.faults.add({
      ...{ subject: /lifecycle/, times: 10 },
      action: { type: 'answer', code: 501, error: 'NotImplemented' }
    })
  without()
  const planned = await lifecycle('30d')
  expect(planned).toMatchObject({
    exitCode: 0,
    out: expect.stringContaining('! the store has no lifecycles')
  })
  const applied = await lifecycle('30d', '--apply')
  expect(applied).toMatchObject({
    exitCode: 1,
    err: expect.stringContaining('nothing can expire there by ttl')
  })
  expect((await lifecycle(undefined, '--apply')).exitCode).toBe(0)
})

test('a store that keeps less than was written is found out', async () => {
  const server = createServer((request, response) => {
    const isRead = request.method === 'GET' && request.url?.includes('lifecycle')
    const code = 'NoSuchLifecycleConfiguration'
    request.resume().on('end', () => {
      response.writeHead(isRead ? 404 : 200, { 'content-type': 'application/xml' })
      response.end(isRead ? `<Error><Code>${code}</Code></Error>` : '<VersioningConfiguration/>')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())))
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { exitCode, err } = await lifecycle('30d', '--apply')
  expect(exitCode).toBe(1)
  expect(err).toContain('not read back so: causeway/hybrid.crucial/data/')
})

test('rights that are missing are told, and options that exclude each other', async () => {
  s3.faults.add({ subject: /lifecycle/, action: { type: 'answer', code: 403, error: 'AccessDenied' } })
  expect(await lifecycle('30d')).toMatchObject({ exitCode: 1, err: expect.stringContaining('AccessDenied') })
  expect((await lifecycle('30d', '--apply', '--json')).exitCode).toBe(2)
})

test('credentials that no key gives are found by the chain of the SDK: by variables, by a profile', async () => {
  keys = undefined
  await lifecycle('30d')
  const profile = join(directory, 'credentials')
  const run = async (env: Readonly<Record<string, string>>) => {
    const nowhere = {
      ...{ AWS_CONFIG_FILE: join(directory, 'none'), AWS_EC2_METADATA_DISABLED: 'true' },
      ...{ AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_SESSION_TOKEN: '' }
    }
    const args = ['s3', 'lifecycle', '--config', join(directory, 'c.toml')]
    const { exited } = new CausewayProcess(args, { env: { ...nowhere, ...env } })
    return (await exited).code
  }
  const id = { AWS_ACCESS_KEY_ID: credentials.accessKeyId }
  expect(await run({ ...id, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey })).toBe(0)
  expect(await run({ ...id, AWS_SECRET_ACCESS_KEY: 'wrong' })).toBe(1)
  const lines = ['[events]', `aws_access_key_id = ${credentials.accessKeyId}`]
  writeFileSync(profile, [...lines, `aws_secret_access_key = ${credentials.secretAccessKey}`, ''].join('\n'))
  expect(await run({ AWS_SHARED_CREDENTIALS_FILE: profile, AWS_PROFILE: 'events' })).toBe(0)
}, 30_000)
