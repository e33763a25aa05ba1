import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { acquireLock } from '../../src/data-dir/lock.ts'
import { identityOf } from '../../src/data-dir/process.ts'

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** A process that runs until it is killed. */
async function bystander(): Promise<{ readonly pid: number; readonly kill: () => Promise<void> }> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e9)'], { stdio: 'ignore' })
  children.push(child)
  await once(child, 'spawn')
  return {
    pid: child.pid ?? -1,
    kill: async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
}

const lockPath = () => join(mkdtempSync(join(tmpdir(), 'causeway-lock-')), 'lock')

test('one process holds the lock until it gives it back, and nothing is left behind', async () => {
  const file = lockPath()
  const mine = await acquireLock(file, process.pid)
  expect(mine.holder).toBeUndefined()
  expect((await acquireLock(file, process.pid)).holder).toBe(process.pid)
  await mine.release()
  expect(readdirSync(join(file, '..'))).toEqual([])
  expect((await acquireLock(file, process.pid)).holder).toBeUndefined()
})

test('the lock of a killed process is taken over', async () => {
  const file = lockPath()
  const victim = await bystander()
  expect((await acquireLock(file, victim.pid)).holder).toBeUndefined()
  expect((await acquireLock(file, process.pid)).holder).toBe(victim.pid)
  await victim.kill()
  expect((await acquireLock(file, process.pid)).holder).toBeUndefined()
  expect(readFileSync(file, 'utf8')).toMatch(new RegExp(`^${process.pid} `))
  expect(readdirSync(join(file, '..'))).toEqual(['lock'])
})

test('a pid that was given to another process does not keep the lock alive', async () => {
  const file = lockPath()
  const other = await bystander()
  const identity = identityOf(other.pid) ?? ''
  writeFileSync(
    file,
    `${other.pid} ${identity.replace(/\d$/, (digit) => `${(Number(digit) + 1) % 10}`)} nonce\n`
  )
  expect((await acquireLock(file, process.pid)).holder).toBeUndefined()
})

test.each(['', 'garbage', '-1 x y\n', '0 x y\n'])('an unreadable lock (%j) is stale', async (content) => {
  const file = lockPath()
  writeFileSync(file, content)
  expect((await acquireLock(file, process.pid)).holder).toBeUndefined()
})

test('of many that find the same stale lock exactly one gets it', async () => {
  for (let round = 0; round < 20; round++) {
    const file = lockPath()
    writeFileSync(file, '999999999 gone nonce\n')
    const results = await Promise.all(Array.from({ length: 8 }, () => acquireLock(file, process.pid)))
    expect(results.filter(({ holder }) => holder === undefined)).toHaveLength(1)
    expect(readdirSync(join(file, '..'))).toEqual(['lock'])
  }
})

test('a takeover that was itself killed is taken over', async () => {
  const file = lockPath()
  const stale = '999999999 gone nonce\n'
  writeFileSync(file, stale)
  const victim = await bystander()
  const { createHash } = await import('node:crypto')
  const guard = `${file}.${createHash('sha256').update(stale).digest('hex').slice(0, 16)}`
  expect((await acquireLock(guard, victim.pid)).holder).toBeUndefined()
  expect((await acquireLock(file, process.pid)).holder).toBe(victim.pid)
  await victim.kill()
  expect((await acquireLock(file, process.pid)).holder).toBeUndefined()
  expect(readdirSync(join(file, '..'))).toEqual(['lock'])
})

test('releasing a lock that another process has taken over leaves it alone', async () => {
  const file = lockPath()
  const mine = await acquireLock(file, process.pid)
  writeFileSync(file, 'someone else\n')
  await mine.release()
  expect(readFileSync(file, 'utf8')).toBe('someone else\n')
})

test('a process is itself, and a dead one is nobody', async () => {
  const other = await bystander()
  expect(identityOf(other.pid)).toBe(identityOf(other.pid))
  expect(identityOf(other.pid)).not.toBe(identityOf(process.pid))
  await other.kill()
  expect(identityOf(other.pid)).toBeUndefined()
})
