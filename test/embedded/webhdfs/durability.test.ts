import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startWebHdfs } from '../../../src/embedded/webhdfs/webhdfs.ts'
import { send } from '../../conformance/webhdfs/requests.ts'
import { spawnService } from '../child-service.ts'

let dataDir: string

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'webhdfs-'))
})

afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

const content = (name: string) => name.repeat(5000)

async function call(port: number, method: string, path: string, op: string, query = '', body?: string) {
  const url = `http://127.0.0.1:${port}/webhdfs/v1${path}?op=${op}&user.name=hdfs${query}`
  const first = await send(method, url)
  return first.location === undefined ? first : await send(method, first.location, body)
}

test('kill -9 amid create and rename: a renamed file is whole, and every acknowledged rename is there', async () => {
  const acknowledged = new Set<string>()
  for (let life = 0; life < 2; life++) {
    const service = await spawnService('webhdfs/webhdfs.ts', 'startWebHdfs', { dataDir })
    const writer = async (writerName: string) => {
      for (let number = 0; ; number++) {
        const name = `${life}-${writerName}-${number}`
        await call(service.port, 'PUT', `/.${name}`, 'CREATE', '', content(name))
        const { status } = await call(
          service.port,
          'PUT',
          `/.${name}`,
          'RENAME',
          `&renameoptions=NONE&destination=/${name}`
        )
        if (status === 200) acknowledged.add(name)
        if (acknowledged.size >= goal) void service.kill()
      }
    }
    const goal = acknowledged.size + randomInt(10, 80)
    const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd'].map(writer))
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
    await service.kill()
  }
  const hdfs = await startWebHdfs({ dataDir })
  const { text } = await call(hdfs.port, 'GET', '/', 'LISTSTATUS')
  const { FileStatuses } = JSON.parse(text) as { FileStatuses: { FileStatus: { pathSuffix: string }[] } }
  const names = FileStatuses.FileStatus.map((one) => one.pathSuffix).filter((name) => !name.startsWith('.'))
  expect([...acknowledged].filter((name) => !names.includes(name))).toEqual([])
  for (const name of names) {
    expect((await call(hdfs.port, 'GET', `/${name}`, 'OPEN')).text === content(name), name).toBe(true)
  }
  await hdfs.stop()
})
