import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { unpackedIn } from '../../../src/embedded/warehouse/binaries.ts'
import { packFolder, unpack, versionOfPack } from '../../../src/embedded/warehouse/pack.ts'

let root: string
let pack: Buffer

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'causeway-pack-'))
  const from = join(root, 'from')
  await mkdir(join(from, 'bin'), { recursive: true, mode: 0o700 })
  await mkdir(join(from, 'lib', 'deep'), { recursive: true })
  await writeFile(join(from, 'bin', 'postgres'), 'program', { mode: 0o700 })
  await writeFile(join(from, 'lib', 'deep', 'empty'), '')
  await writeFile(join(from, 'lib', 'é.so.1'), Buffer.from([0, 255, 10]), { mode: 0o600 })
  await writeFile(join(from, 'lib', 'left.a'), 'not wanted')
  await symlink('é.so.1', join(from, 'lib', 'é.so'))
  pack = await packFolder(from, { version: '1.2', level: 3, wanted: (path) => !path.endsWith('.a') })
})

afterAll(() => rm(root, { recursive: true, force: true }))

test('what was packed comes out again, readable for everybody', async () => {
  const to = join(root, 'to')
  await mkdir(to)
  await unpack(pack, to)
  expect(versionOfPack(pack)).toBe('1.2')
  expect((await readdir(join(to, 'lib'))).sort()).toEqual(['deep', 'é.so', 'é.so.1'])
  expect(await readFile(join(to, 'lib', 'é.so'))).toEqual(Buffer.from([0, 255, 10]))
  expect(await readlink(join(to, 'lib', 'é.so'))).toBe('é.so.1')
  expect(await readFile(join(to, 'lib', 'deep', 'empty'), 'utf8')).toBe('')
  const modes = ['bin', 'bin/postgres', 'lib/é.so.1'].map(
    async (path) => (await stat(join(to, path))).mode & 0o777
  )
  expect(await Promise.all(modes)).toEqual([0o755, 0o755, 0o644])
})

test('it is unpacked once, and refused when somebody else could have written to it', async () => {
  const place = join(root, 'place')
  await mkdir(place)
  const [folder, again] = await Promise.all([unpackedIn(place, pack), unpackedIn(place, pack)])
  expect(again).toBe(folder)
  const before = await stat(folder)
  expect(await unpackedIn(place, pack)).toBe(folder)
  expect((await stat(folder)).ino).toBe(before.ino)
  expect(await readdir(place)).toHaveLength(1)
  await chmod(folder, 0o777)
  await expect(unpackedIn(place, pack)).rejects.toMatchObject({ code: 'warehouse-unreachable' })
})

test('a damaged pack leaves nothing behind', async () => {
  const place = join(root, 'damaged')
  await mkdir(place)
  const damaged = Buffer.from(pack)
  damaged.fill(0, damaged.length - 12)
  await expect(unpackedIn(place, damaged)).rejects.toMatchObject({ code: 'warehouse-unreachable' })
  expect(await readdir(place)).toEqual([])
})
