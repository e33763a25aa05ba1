import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  type EmbeddedWebHdfs,
  startWebHdfs,
  type WebHdfsOptions
} from '../../../src/embedded/webhdfs/webhdfs.ts'
import { call as callAt, exceptionOf, lengthOf, run } from '../../conformance/webhdfs/requests.ts'
import { root, sections } from '../../conformance/webhdfs/scenario.ts'

let dataDir: string
let hdfs: EmbeddedWebHdfs

async function restart(options: Partial<WebHdfsOptions> = {}): Promise<void> {
  await hdfs.stop()
  hdfs = await startWebHdfs({ dataDir, superuser: 'root', ...options })
}

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'webhdfs-'))
  hdfs = await startWebHdfs({ dataDir, superuser: 'root' })
})

afterEach(async () => {
  await hdfs.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

type Call = typeof callAt extends (nameNode: string, ...rest: infer Rest) => infer Result
  ? (...rest: Rest) => Result
  : never
const call: Call = (...request) => callAt(hdfs.url, ...request)

const create = (path: string, body: string, parameters: Record<string, string> = {}) =>
  call('PUT', path, 'CREATE', parameters, body)

async function read(path: string): Promise<string> {
  return (await call('GET', path, 'OPEN')).text
}

/** Everything that the scenario of the conformance suite leaves, as far as it can be asked for. */
async function tree(): Promise<string[]> {
  const paths = ['', '/a', '/r', '/p', '/p/alice', '/t', '/c', '/k', '/n', '/s']
  const asked = paths.flatMap((path) => [
    call('GET', `${root}${path}`, 'LISTSTATUS'),
    call('GET', `${root}${path}`, 'GETCONTENTSUMMARY')
  ])
  return (await Promise.all(asked)).map(({ text }) => text)
}

test('a restart keeps names, content, owners, modes, times, replication, block sizes and quotas', async () => {
  for (const step of Object.values(sections).flat()) await run(hdfs.url, step)
  await call('PUT', `${root}/n`, 'SETQUOTA', { namespacequota: '9', storagespacequota: '1234567' })
  const before = await tree()
  await restart()
  expect(await tree()).toEqual(before)
  expect(await read(`${root}/new/parent/file`)).toBe('parents')
})

test('a history that was made shorter says the same', async () => {
  for (const step of Object.values(sections).flat()) await run(hdfs.url, step)
  await call('PUT', `${root}/n`, 'SETQUOTA', { namespacequota: '9', storagespacequota: '1234567' })
  const before = await tree()
  await restart({ compactEditsMin: 10 })
  await call('PUT', '/one-more', 'MKDIRS')
  await restart()
  expect(await tree()).toEqual(before)
})

test('a removed or overwritten file leaves no block behind', async () => {
  await create('/file', 'one')
  await create('/file', 'two', { overwrite: 'true' })
  await create('/dir/file', 'three')
  await call('DELETE', '/dir', 'DELETE', { recursive: 'true' })
  expect(await read('/file')).toBe('two')
  expect(readdirSync(join(dataDir, 'blocks'))).toHaveLength(1)
})

test('a file that was truncated grows from its new end', async () => {
  await create('/file', 'one and two')
  expect((await call('POST', '/file', 'TRUNCATE', { newlength: '3' })).text).toBe('{"boolean":false}')
  expect(await read('/file')).toBe('one')
  await call('POST', '/file', 'APPEND', {}, ' more')
  expect(await read('/file')).toBe('one more')
})

test('with no NameNode of a pair active, nothing can be written or read', async () => {
  await restart({ standby: true })
  await create('/file', 'x')
  hdfs.setState('standby')
  expect(await exceptionOf(create('/other', 'x'))).toBe('403 StandbyException')
  hdfs.standby?.setState('active')
  expect((await callAt(hdfs.standby?.url ?? '', 'GET', '/file', 'OPEN')).text).toBe('x')
  expect((await create('/other', 'x')).status).toBe(201)
})

test('faults: at either step, with or without effect; a full disk leaves a shorter file', async () => {
  hdfs.faults.add({ subject: /^CREATE \/first$/, action: { type: 'fail-before' } })
  hdfs.faults.add({ subject: /^DATA CREATE \/lost$/, action: { type: 'lose-reply' } })
  hdfs.faults.add({ subject: /^DATA CREATE \/full$/, action: { type: 'disk-full' } })
  hdfs.faults.add({ subject: /^RENAME/, action: { type: 'answer', code: 403, error: 'StandbyException' } })
  await expect(create('/first', 'x')).rejects.toThrow()
  await expect(create('/lost', 'kept')).rejects.toThrow()
  expect(await read('/lost')).toBe('kept')
  expect(await exceptionOf(create('/full', 'x'.repeat(2_000_000)))).toBe('403 IOException')
  expect(await lengthOf(hdfs.url, '/full')).toBe(1_000_000)
  expect(await exceptionOf(call('PUT', '/lost', 'RENAME', { destination: '/x' }))).toBe(
    '403 StandbyException'
  )
  expect(await lengthOf(hdfs.url, '/first')).toBe(-1)
})
