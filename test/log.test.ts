import { expect, test } from 'vitest'
import { Secret } from '../src/config.ts'
import { Fault } from '../src/errors.ts'
import { createLogger, describeError } from '../src/log.ts'

function logger(format: 'json' | 'pretty', level: 'info' | 'debug' = 'info') {
  const lines: string[] = []
  const log = createLogger({ level, format }, { write: (line: string) => void lines.push(line) })
  return { log, lines }
}

test('one JSON line per event, with words for levels and ISO times', () => {
  const { log, lines } = logger('json')
  log.child({ role: 'mirror' }).info({ partitions: 4 }, 'assigned')
  log.debug('unheard')
  expect(lines).toHaveLength(1)
  const { time, ...rest } = JSON.parse(lines[0] ?? '')
  expect(rest).toEqual({ level: 'info', role: 'mirror', partitions: 4, msg: 'assigned' })
  expect(new Date(time).toISOString()).toBe(time)
})

test('secrets are not logged, neither as values nor under their usual names', () => {
  const { log, lines } = logger('json')
  const password = 'hunter2'
  log.info(
    { secret: new Secret(password), password, sasl: { password }, headers: { authorization: password } },
    'x'
  )
  log.info(new Secret(password), 'y')
  log.info(`got ${new Secret(password)}`)
  expect(lines.join('')).not.toContain('hunter2')
  expect(lines.join('')).toContain('[secret]')
})

test('pretty lines are for people', () => {
  const { log, lines } = logger('pretty')
  log.info({ role: 'mirror' }, 'assigned')
  expect(lines.join('')).toMatch(/INFO.*assigned\n {4}role: "mirror"/s)
  expect(() => JSON.parse(lines.join(''))).toThrow()
})

test('a fault is logged by code and causes; a stack only when nobody classified it', () => {
  const socket = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  const fault = new Fault('unreachable', 'broker kafka1 is away', { cause: socket, retryable: true })
  expect(describeError(fault)).toEqual({
    code: 'unreachable',
    message: 'broker kafka1 is away',
    retryable: true,
    cause: { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' }
  })
  expect(describeError(new TypeError('x is not a function')).stack).toContain('log.test.ts')
  expect(describeError('thrown text')).toEqual({ code: 'unknown', message: 'thrown text' })
})

test('an error that is its own cause is described with an end', () => {
  const error = new Error('circle')
  error.cause = error
  expect(JSON.stringify(describeError(error)).match(/circle/g)?.length).toBeLessThan(20)
})
