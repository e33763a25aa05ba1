import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  type EmbeddedWebHdfs,
  startWebHdfs,
  type WebHdfsOptions
} from '../../../src/embedded/webhdfs/webhdfs.ts'
import { type Answer, runScenario, send } from './scenario.ts'

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

async function call(
  method: string,
  path: string,
  op: string,
  parameters: Record<string, string> = {},
  body?: string
) {
  const query = new URLSearchParams({ op, 'user.name': 'root', ...parameters })
  const first = await send(method, `${hdfs.url}/webhdfs/v1${path}?${query}`)
  return first.location === undefined ? first : await send(method, first.location, body)
}

const create = (path: string, body: string, parameters: Record<string, string> = {}) =>
  call('PUT', path, 'CREATE', parameters, body)

async function read(path: string): Promise<string> {
  return (await call('GET', path, 'OPEN')).text
}

async function lengthOf(path: string): Promise<number> {
  const { FileStatus } = JSON.parse((await call('GET', path, 'GETFILESTATUS')).text) as {
    FileStatus?: { length: number }
  }
  return FileStatus?.length ?? -1
}

async function exceptionOf(answer: Promise<{ status: number; text: string }>): Promise<string> {
  const { status, text } = await answer
  const { RemoteException } = JSON.parse(text) as { RemoteException: { exception: string } }
  return `${status} ${RemoteException.exception}`
}

/** Sends the head of an upload and part of its body, and keeps the connection open. */
async function beginUpload(path: string, announced: number, sent: string): Promise<Socket> {
  const { location = '' } = await send('PUT', `${hdfs.url}/webhdfs/v1${path}?op=CREATE&user.name=root`)
  const { hostname, port, pathname, search } = new URL(location)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  socket.write(`PUT ${pathname}${search} HTTP/1.1\r\nHost: x\r\nContent-Length: ${announced}\r\n\r\n${sent}`)
  await eventually(async () => expect(await lengthOf(path)).toBe(0))
  return socket
}

/** Waits for a condition; the machine may be busy. */
function eventually(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 10_000 })
}

function golden(): Answer[] {
  return readFileSync(new URL('hadoop-3.4.3.golden.ndjson', import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Answer)
}

/** `WEBHDFS_URL=http://127.0.0.1:9870` asks a real NameNode, run by the user `root`, instead of ours. */
test('every answer of the scenario is the one Apache Hadoop 3.4.3 gave', async () => {
  expect(await runScenario(process.env.WEBHDFS_URL ?? hdfs.url)).toEqual(golden())
})

test('a restart keeps names, content, owners and modes', async () => {
  await runScenario(hdfs.url)
  const tree = async () => {
    const listings = ['', '/a', '/r', '/p', '/p/alice'].map((path) =>
      call('GET', `/causeway-scenario${path}`, 'LISTSTATUS')
    )
    return (await Promise.all(listings)).map((answer) => answer.text)
  }
  const before = await tree()
  await restart()
  expect(await tree()).toEqual(before)
  expect(await read('/causeway-scenario/new/parent/file')).toBe('parents')
})

test('a removed or overwritten file leaves no block behind', async () => {
  await create('/file', 'one')
  await create('/file', 'two', { overwrite: 'true' })
  await create('/dir/file', 'three')
  await call('DELETE', '/dir', 'DELETE', { recursive: 'true' })
  expect(await read('/file')).toBe('two')
  expect(readdirSync(join(dataDir, 'blocks'))).toHaveLength(1)
})

test('a cut upload leaves a closed, shorter file; until then the file has length 0 and one writer', async () => {
  const socket = await beginUpload('/cut', 100_000, 'x'.repeat(70_000))
  expect(await exceptionOf(create('/cut', 'mine'))).toBe('403 AlreadyBeingCreatedException')
  await eventually(() => expect(readdirSync(join(dataDir, 'blocks'))).toHaveLength(1))
  socket.end()
  socket.destroySoon()
  await eventually(async () =>
    expect(await exceptionOf(create('/cut', 'mine'))).toBe('403 FileAlreadyExistsException')
  )
  const left = await lengthOf('/cut')
  expect(left).toBeLessThanOrEqual(70_000)
  expect(await read('/cut')).toBe('x'.repeat(left))
})

test('a file deleted under its writer stays deleted', async () => {
  const socket = await beginUpload('/gone', 10, 'abc')
  await call('DELETE', '/gone', 'DELETE')
  socket.write('defghij')
  const answer = await new Promise<string>((resolve) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    socket.on('close', () => resolve(text))
  })
  expect(answer).toContain('FileNotFoundException')
  expect(await lengthOf('/gone')).toBe(-1)
})

test('standby refuses all, safe mode every change, at the step where HDFS does', async () => {
  await create('/file', 'x')
  hdfs.setState('standby')
  expect(await exceptionOf(call('GET', '/file', 'GETFILESTATUS'))).toBe('403 StandbyException')
  expect(await exceptionOf(create('/other', 'x'))).toBe('403 StandbyException')
  hdfs.setState('safe-mode')
  expect(await read('/file')).toBe('x')
  expect(await exceptionOf(create('/other', 'x'))).toBe('403 SafeModeException')
  expect(await exceptionOf(call('PUT', '/d', 'MKDIRS'))).toBe('403 SafeModeException')
  const renamed = call('PUT', '/file', 'RENAME', { destination: '/moved', renameoptions: 'NONE' })
  expect(await exceptionOf(renamed)).toBe('403 SafeModeException')
  hdfs.setState('active')
  expect((await call('PUT', '/d', 'MKDIRS')).status).toBe(200)
})

test('LISTSTATUS_BATCH pages put together are the whole listing', async () => {
  await restart({ listingMax: 2 })
  const names = ['e', 'a', 'é', 'c', 'b']
  for (const name of names) await call('PUT', `/list/${encodeURIComponent(name)}`, 'MKDIRS')
  const seen: string[] = []
  let remaining = 1
  while (remaining > 0) {
    const { text } = await call('GET', '/list', 'LISTSTATUS_BATCH', { startAfter: seen.at(-1) ?? '' })
    const { DirectoryListing } = JSON.parse(text) as {
      DirectoryListing: {
        partialListing: { FileStatuses: { FileStatus: { pathSuffix: string }[] } }
        remainingEntries: number
      }
    }
    seen.push(...DirectoryListing.partialListing.FileStatuses.FileStatus.map((one) => one.pathSuffix))
    remaining = DirectoryListing.remainingEntries
  }
  expect(seen).toEqual(['a', 'b', 'c', 'e', 'é'])
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
  expect(await lengthOf('/full')).toBe(1_000_000)
  expect(await exceptionOf(call('PUT', '/lost', 'RENAME', { destination: '/x' }))).toBe(
    '403 StandbyException'
  )
  expect(await lengthOf('/first')).toBe(-1)
})
