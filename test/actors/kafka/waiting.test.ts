import { expect, test } from 'vitest'
import { Bell } from '../../../src/actors/kafka/bell.ts'
import { backoffMs, pause, retrying, unlessAborted } from '../../../src/actors/kafka/waiting.ts'
import { Fault } from '../../../src/errors.ts'

const never = new AbortController().signal
const soon = new Fault('unreachable', 'soon', { retryable: true })

test('the back-off doubles up to its bound', () => {
  expect([0, 1, 2, 20].map(backoffMs)).toEqual([20, 40, 80, 2_000])
})

test('a retryable fault is retried, another one is not', async () => {
  let attempts = 0
  const third = () => (++attempts < 3 ? Promise.reject(soon) : Promise.resolve('done'))
  expect(await retrying(third, never)).toBe('done')
  attempts = 0
  const fatal = new Fault('authentication-failed', 'no')
  const refused = () => {
    attempts++
    return Promise.reject(fatal)
  }
  await expect(retrying(refused, never)).rejects.toBe(fatal)
  expect(attempts).toBe(1)
})

test('retrying ends at its limit with the last fault', async () => {
  await expect(retrying(() => Promise.reject(soon), never, 30)).rejects.toBe(soon)
})

test('every wait ends when the signal does, with its reason', async () => {
  const reason = new Error('stop')
  const waits = [
    (signal: AbortSignal) => pause(60_000, signal),
    (signal: AbortSignal) => retrying(() => Promise.reject(soon), signal),
    (signal: AbortSignal) => unlessAborted(new Promise<void>(() => {}), signal),
    (signal: AbortSignal) => new Bell().wait(Number.POSITIVE_INFINITY, signal)
  ]
  for (const wait of waits) {
    const abort = new AbortController()
    const waiting = wait(abort.signal)
    abort.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(wait(abort.signal)).rejects.toBe(reason)
  }
})

test('a bell that rang before the wait ends it at once, and only one wait', async () => {
  const bell = new Bell()
  bell.ring()
  await bell.wait(Number.POSITIVE_INFINITY, never)
  let isOver = false
  const second = bell.wait(Number.POSITIVE_INFINITY, never).then(() => (isOver = true))
  await Promise.resolve()
  expect(isOver).toBe(false)
  bell.ring()
  await second
})
