import { chmodSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openDataDir } from '../src/data-dir.ts'
import { exitCodeOf, Fault } from '../src/errors.ts'

const parent = () => mkdtempSync(join(tmpdir(), 'causeway-data-'))
const faultOf = (opening: Promise<unknown>) =>
  opening.then(
    () => undefined,
    (error: unknown) => (error instanceof Fault ? error : Promise.reject(error))
  )

test('a missing directory is made for its owner only, with a version and an id', async () => {
  const path = join(parent(), 'a', 'b')
  const dir = await openDataDir(path, process.pid)
  expect(statSync(path).mode & 0o777).toBe(0o700)
  expect(readFileSync(join(path, 'version'), 'utf8')).toBe('1\n')
  expect(dir.workerId).toMatch(/^[0-9a-f]{12}$/)
  await dir.release()
  expect(readdirSync(path).sort()).toEqual(['version', 'worker-id'])
})

test('the worker keeps its id', async () => {
  const path = parent()
  const first = await openDataDir(path, process.pid)
  await first.release()
  const second = await openDataDir(path, process.pid)
  expect(second.workerId).toBe(first.workerId)
})

test('a directory in use is refused by name and pid', async () => {
  const path = parent()
  const dir = await openDataDir(path, process.pid)
  const fault = await faultOf(openDataDir(path, process.pid))
  expect(fault).toMatchObject({
    code: 'data-dir-in-use',
    message: `data directory ${path} is in use by process ${process.pid}`
  })
  expect(fault && exitCodeOf(fault)).toBe(2)
  await dir.release()
})

test('a directory of another version is refused, untouched and released', async () => {
  const path = parent()
  writeFileSync(join(path, 'version'), '2\n')
  const fault = await faultOf(openDataDir(path, process.pid))
  expect(fault).toMatchObject({
    code: 'data-dir-version',
    message: expect.stringContaining('has format "2"')
  })
  expect(readdirSync(path)).toEqual(['version'])
})

test('a crash between creating and filling a file is repaired', async () => {
  const path = parent()
  writeFileSync(join(path, 'version'), '')
  writeFileSync(join(path, 'worker-id'), '')
  const dir = await openDataDir(path, process.pid)
  expect(dir.workerId).not.toBe('')
})

test('a path that cannot be a directory is named', async () => {
  const file = join(parent(), 'file')
  writeFileSync(file, '')
  expect(await faultOf(openDataDir(join(file, 'data'), process.pid))).toMatchObject({
    code: 'data-dir-not-writable',
    message: expect.stringContaining(join(file, 'data'))
  })
})

test('a directory that may not be written is named', async () => {
  // Permission bits do not bind root, but the kernel's own directories do.
  const path = process.getuid?.() === 0 ? '/proc/self' : join(parent(), '')
  if (path !== '/proc/self') chmodSync(path, 0o500)
  expect(await faultOf(openDataDir(path, process.pid))).toMatchObject({
    code: 'data-dir-not-writable',
    message: expect.stringContaining(`data directory ${path} cannot be written`)
  })
})
