import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { withHive } from '../../../src/actors/hive/session.ts'
import type { HiveAuth, HiveConfig } from '../../../src/config.ts'
import { makeCertificates } from '../../real/kafka/security.ts'
import { hasOpenssl } from '../../tools/openssl.ts'
import { freePort } from '../../tools/service.ts'

/** What `hive-driver` leaves hanging: it never settles a call whose connection does not come, or breaks. */
let stop: (() => void) | undefined
afterEach(() => stop?.())

async function listen(
  onSocket: (socket: Socket) => void,
  pem?: { readonly cert: string; readonly key: string }
): Promise<number> {
  const sockets = new Set<Socket>()
  const onConnection = (socket: Socket) => {
    sockets.add(socket)
    onSocket(socket.on('error', () => undefined))
  }
  const server = pem ? createTlsServer(pem, onConnection) : createServer(onConnection)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stop = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : -1
}

const session = (
  port: number,
  auth: HiveAuth,
  signal = new AbortController().signal,
  more: Partial<HiveConfig> = {}
) =>
  withHive(
    {
      ...{ url: `hive2://127.0.0.1:${port}`, auth, database: 'd', table: 't' },
      ...{ timestamps: 'timestamp', ...more }
    },
    (hive) => hive.run('SHOW TABLES'),
    signal
  )
const unreachable = { code: 'hive-unreachable', retryable: true }

test.each(['plain', 'nosasl'] as const)('nobody listens, %s', async (auth) => {
  await expect(session(await freePort(), auth)).rejects.toMatchObject(unreachable)
})

test.each(['plain', 'nosasl'] as const)('the server hangs up, %s', async (auth) => {
  const port = await listen((socket) => socket.once('data', () => socket.destroy()))
  await expect(session(port, auth)).rejects.toMatchObject(unreachable)
})

test.each(['plain', 'nosasl'] as const)(
  'a wait ends with its signal, and with it the connection, %s',
  async (auth) => {
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    const ending = new AbortController()
    const port = await listen((socket) => {
      socket.once('data', () => ending.abort(new Error('drained')))
      socket.once('close', () => resolve())
    })
    await expect(session(port, auth, ending.signal)).rejects.toThrow('drained')
    await closed
  }
)

test('what SASL refuses is told', async () => {
  const why = Buffer.from('no such user')
  const size = Buffer.alloc(5)
  size[0] = 3
  size.writeUInt32BE(why.length, 1)
  const port = await listen((socket) => socket.once('data', () => socket.end(Buffer.concat([size, why]))))
  await expect(session(port, 'plain')).rejects.toMatchObject({
    message: expect.stringContaining('no such user')
  })
})

test.skipIf(!hasOpenssl).each(['plain', 'nosasl'] as const)(
  'over TLS, one whom the authority did not sign is told nothing, the other one is spoken to, %s',
  async (auth) => {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-hive-session-'))
    const files = await makeCertificates(directory)
    const pem = (file: 'ca' | 'otherCa' | 'serverCert' | 'serverKey') => readFileSync(files[file], 'utf8')
    let heard = 0
    const port = await listen(
      (socket) =>
        socket.on('data', ({ length }) => {
          heard += length
          socket.destroy()
        }),
      { cert: pem('serverCert'), key: pem('serverKey') }
    )
    const ask = (tls: NonNullable<HiveConfig['tls']>) => session(port, auth, undefined, { tls })
    for (const tls of [{ ca: pem('otherCa') }, {}, { ca: pem('ca'), serverName: 'hive.example' }]) {
      const message = expect.stringMatching(/: TLS failed: (unable to verify|Host: hive\.example\. is not)/)
      await expect(ask(tls)).rejects.toMatchObject({ ...unreachable, message })
    }
    expect(heard).toBe(0)
    const closed = expect.stringMatching(/: the connection was closed$/)
    await expect(ask({ ca: pem('ca') })).rejects.toMatchObject({ ...unreachable, message: closed })
    expect(heard).toBeGreaterThan(0)
    rmSync(directory, { recursive: true })
  }
)

test.each(['plain', 'nosasl'] as const)(
  'a server that speaks TLS alone is told from others, %s',
  async (auth) => {
    const alert = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28])
    const secure = await listen((socket) => socket.once('data', () => socket.end(alert)))
    const message = expect.stringContaining('speaks TLS')
    await expect(session(secure, auth)).rejects.toMatchObject({ ...unreachable, message })
  }
)
