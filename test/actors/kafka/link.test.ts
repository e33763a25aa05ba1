import { expect, test } from 'vitest'
import { type Api, type Link, openLink } from '../../../src/actors/kafka/link.ts'
import { Writer } from '../../../src/actors/kafka/wire.ts'
import { type Script, ScriptedBroker, type ScriptedOptions } from './scripted-broker.ts'

const ECHO = 99
const never = new AbortController().signal

async function linkTo(
  scripts: Readonly<Record<number, Script>>,
  more: Partial<ScriptedOptions> & {
    sasl?: { username: string; password: string }
    signal?: AbortSignal
  } = {}
): Promise<{ broker: ScriptedBroker; link: Link }> {
  const broker = await ScriptedBroker.start({ scripts, versions: { [ECHO]: 4 }, ...more })
  const link = await openLink({ ...optionsFor(broker.port), ...saslOf(more.sasl) }, more.signal ?? never)
  return { broker, link }
}

function optionsFor(port: number) {
  return { host: '127.0.0.1', port, clientId: 'test', connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 }
}

function saslOf(sasl: { username: string; password: string } | undefined) {
  if (sasl === undefined) return {}
  const { username, password } = sasl
  return { sasl: { mechanism: 'plain' as const, username, password: { reveal: () => password } } }
}

function echo(...parts: readonly Buffer[]): Api<Buffer> {
  return { key: ECHO, version: 4, name: 'Echo', encode: () => parts, decode: (body) => body }
}

const echoes: Script = (body, _) => {
  const bytes: number[] = []
  try {
    for (;;) bytes.push(body.int8())
  } catch {
    return Buffer.from(bytes)
  }
}

test('requests are answered in order, and their parts arrive as one body', async () => {
  const { link } = await linkTo({ [ECHO]: echoes })
  const words = ['a', 'bb', 'ccc', 'dddd']
  const answers = await Promise.all(words.map((word) => link.call(echo(Buffer.from('<'), Buffer.from(word)))))
  expect(answers.map(String)).toEqual(words.map((word) => `<${word}`))
  expect([link.version(ECHO), link.version(98)]).toEqual([4, undefined])
  link.destroy()
  expect(await link.closed).toBeUndefined()
})

test('an answer of many megabytes lands in the memory the caller gave', async () => {
  const large = Buffer.alloc(9 * 1024 * 1024, 'x')
  const { link } = await linkTo({ [ECHO]: () => large })
  let memory: Buffer | undefined
  const answer = await link.call(echo(Buffer.from('?')), {
    allocate: (bytes) => {
      memory = Buffer.alloc(bytes)
      return memory
    }
  })
  expect(answer.equals(large)).toBe(true)
  expect(answer.buffer).toBe(memory?.buffer)
  link.destroy()
})

test('a request without an answer in time takes the link and everything on it down, retryably', async () => {
  const { link } = await linkTo({ [ECHO]: () => 'hang' })
  const slow = link.call(echo(Buffer.from('1')), { timeoutMs: 60 })
  const behind = link.call(echo(Buffer.from('2')))
  await expect(slow).rejects.toMatchObject({ code: 'request-timed-out', retryable: true })
  await expect(behind).rejects.toMatchObject({ retryable: true })
  expect(link.alive).toBe(false)
  expect(await link.closed).toMatchObject({ code: 'request-timed-out' })
  await expect(link.call(echo(Buffer.from('3')))).rejects.toMatchObject({ retryable: true })
})

test('a connection that the broker ends rejects what is pending', async () => {
  const { link } = await linkTo({ [ECHO]: () => 'close' })
  await expect(link.call(echo(Buffer.from('1')))).rejects.toMatchObject({ retryable: true })
  expect(await link.closed).toMatchObject({ code: 'link-closed' })
})

test('a broker that closes before its first answer may want SASL; one that has answered does not', async () => {
  const { link } = await linkTo({ [ECHO]: () => 'close' })
  await expect(link.call(echo())).rejects.toMatchObject({
    code: 'link-closed',
    message: expect.stringContaining('may want SASL, and none is configured'),
    retryable: true
  })
  let calls = 0
  const answered = await linkTo({ [ECHO]: () => (calls++ === 0 ? Buffer.from('!') : 'close') })
  await answered.link.call(echo())
  const second = answered.link.call(echo())
  await expect(second).rejects.toMatchObject({ message: expect.not.stringContaining('SASL') })
})

test('an answer that cannot be read ends the link and is not retried', async () => {
  const { link } = await linkTo({ [ECHO]: echoes })
  const unreadable = { ...echo(Buffer.from('1')), decode: () => Promise.reject(new RangeError('short')) }
  await expect(link.call(unreadable)).rejects.toMatchObject({ code: 'answer-unreadable', retryable: false })
  expect(await link.closed).toMatchObject({ code: 'answer-unreadable' })
})

test('the link ends with its signal, without a fault', async () => {
  const abort = new AbortController()
  const { link } = await linkTo({ [ECHO]: () => 'hang' }, { signal: abort.signal })
  const pending = link.call(echo(Buffer.from('1')))
  abort.abort()
  await expect(pending).rejects.toMatchObject({ code: 'link-closed' })
  expect(await link.closed).toBeUndefined()
})

test('nothing of kafkajs keeps a timer after the handshake', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = timers()
  const { link } = await linkTo({ [ECHO]: echoes })
  expect(timers()).toBe(before)
  link.destroy()
})

test('a broker that refuses newer versions of ApiVersions is asked in an older one', async () => {
  const { broker, link } = await linkTo({ [ECHO]: echoes }, { versions: { 18: 0, [ECHO]: 4 } })
  expect(broker.requests.map(({ version }) => version)).toEqual([2, 1, 0])
  expect(link.version(ECHO)).toBe(4)
  link.destroy()
})

const HANDSHAKE = 17
const AUTHENTICATE = 36
const mechanisms = () => new Writer().int16(0).int32(1).string('PLAIN').take()
const saslVersions = { [HANDSHAKE]: 1, [AUTHENTICATE]: 1, [ECHO]: 4 }

test('kafkajs authenticates the socket before it becomes ours', async () => {
  let token = ''
  const { link } = await linkTo(
    {
      [HANDSHAKE]: mechanisms,
      [AUTHENTICATE]: (body) => {
        token = body.raw(body.int32()).toString()
        return new Writer().int16(0).string(null).int32(0).int64(0).take()
      },
      [ECHO]: echoes
    },
    { versions: saslVersions, sasl: { username: 'ann', password: 'open sesame' } }
  )
  expect(token).toBe('\0ann\0open sesame')
  expect(String(await link.call(echo(Buffer.from('hi'))))).toBe('hi')
  link.destroy()
})

test('refused credentials are no passing fault, and the secret is not in it', async () => {
  const refused = linkTo(
    {
      [HANDSHAKE]: mechanisms,
      [AUTHENTICATE]: () => new Writer().int16(58).string('bad credentials').int32(-1).int64(0).take()
    },
    { versions: saslVersions, sasl: { username: 'ann', password: 'open sesame' } }
  )
  const fault = await refused.catch((error: unknown) => error)
  expect(fault).toMatchObject({ code: 'authentication-failed', retryable: false })
  expect(JSON.stringify(fault) + String(fault)).not.toContain('sesame')
})

test('a broker that accepts and says nothing is given up after the connect time-out', async () => {
  const broker = await ScriptedBroker.start({ scripts: {}, versions: {}, isMute: true })
  const opening = openLink({ ...optionsFor(broker.port), connectTimeoutMs: 80 }, never)
  await expect(opening).rejects.toMatchObject({ code: 'connect-timed-out', retryable: true })
})

test('a closed port is unreachable, retryably, and says where', async () => {
  const broker = await ScriptedBroker.start({ scripts: {}, versions: {} })
  await broker.stop()
  await expect(openLink(optionsFor(broker.port), never)).rejects.toMatchObject({
    code: 'unreachable',
    retryable: true,
    message: expect.stringContaining(`127.0.0.1:${broker.port}`)
  })
})
