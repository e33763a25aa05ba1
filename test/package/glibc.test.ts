import { execFileSync, spawnSync } from 'node:child_process'
import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { toolMissing } from '../tools/require.ts'
import { causewayPath, emptyDirectory, start, unprivileged } from './executable.ts'

/** CentOS Stream 8's: the oldest system that Node 24 is made for. */
const newest = { GLIBC: '2.28', GLIBCXX: '3.4.25', CXXABI: '1.3.11' } as const

const hasObjdump = spawnSync('objdump', ['--version']).status === 0 || toolMissing('objdump (binutils)')
const directories: string[] = []
afterAll(() => Promise.all(directories.map((each) => rm(each, { recursive: true, force: true }))))

test.runIf(hasObjdump)(
  'nothing in the executable, or unpacked by it, needs more than CentOS Stream 8 has',
  async () => {
    const cwd = await emptyDirectory()
    directories.push(cwd)
    const args = ['demo', '--events', '1', '--exit-when-done', '--json', '--port', '0', '--data-dir', 'data']
    const { code, err } = await start(args, cwd, unprivileged).ended
    expect(code, err).toBe(0)
    const unpacked = await elfFilesIn(join(cwd, 'data'))
    expect(unpacked.length).toBeGreaterThan(20)
    const needed = [causewayPath(), ...unpacked].flatMap(neededBy)
    expect(needed.length).toBeGreaterThan(1000)
    expect(needed.filter(({ library, version }) => isNewer(version, newest[library]))).toEqual([])
  }
)

test('versions compare by their numbers', () => {
  expect(isNewer('2.3', '2.28')).toBe(false)
  expect(isNewer('2.28', '2.28')).toBe(false)
  expect(isNewer('2.28.1', '2.28')).toBe(true)
  expect(isNewer('2.29', '2.28')).toBe(true)
})

interface Needed {
  readonly file: string
  readonly library: keyof typeof newest
  readonly version: string
}

/** Undefined dynamic symbols: `… *UND* … (GLIBC_2.14) memcpy`. */
function neededBy(file: string): Needed[] {
  const table = execFileSync('objdump', ['-T', file], { encoding: 'utf8', maxBuffer: 2 ** 27 })
  const found = [...table.matchAll(/\*UND\*.*?\b(GLIBC|GLIBCXX|CXXABI)_([\d.]+)/g)]
  return found.map(([, library, version = '']) => ({ file, library: library as Needed['library'], version }))
}

function isNewer(version: string, than: string): boolean {
  const [a, b] = [version.split('.').map(Number), than.split('.').map(Number)]
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return false
}

async function elfFilesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const elf: string[] = []
  for (const file of files) {
    await using handle = await open(file)
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0)
    if (buffer.equals(Buffer.from('\x7fELF', 'latin1'))) elf.push(file)
  }
  return elf
}
