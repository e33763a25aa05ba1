import { expect, test } from 'vitest'
import { exitCodeOf, Fault, toFault } from '../src/errors.ts'

const systemError = (code: string) => Object.assign(new Error(`${code}: it failed`), { code })

test('a fault comes back unchanged', () => {
  const fault = new Fault('config-invalid', 'key x')
  expect(toFault(fault)).toBe(fault)
})

test('a full disk is told apart from an unreachable peer, and both may be retried', () => {
  expect(toFault(systemError('ENOSPC'))).toMatchObject({ code: 'disk-full', retryable: true })
  expect(toFault(systemError('ECONNREFUSED'))).toMatchObject({ code: 'unreachable', retryable: true })
})

test('an error that wraps a system error keeps its own words and the inner verdict', () => {
  const wrapped = new Error('fetch failed', { cause: systemError('ECONNRESET') })
  expect(toFault(wrapped)).toMatchObject({ code: 'unreachable', retryable: true, message: 'fetch failed' })
})

test('whatever is thrown becomes a fault, and an unknown one is not retried', () => {
  for (const thrown of [undefined, null, 42, 'text', {}, new Error('plain'), new AggregateError([])]) {
    expect(toFault(thrown)).toMatchObject({ code: 'unknown', retryable: false })
  }
})

test('a fault of arguments or configuration exits with 2, any other with 1', () => {
  expect(exitCodeOf(new Fault('config-invalid', ''))).toBe(2)
  expect(exitCodeOf(new Fault('port-in-use', ''))).toBe(2)
  expect(exitCodeOf(new Fault('kafka-unreachable', ''))).toBe(1)
})
