import { createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { withHive } from '../../../src/actors/hive/session.ts'
import type { HiveAuth } from '../../../src/config.ts'
import { freePort } from '../../tools/service.ts'

/** What `hive-driver` leaves hanging: it never settles a call whose connection does not come, or breaks. */
let stop: (() => void) | undefined
afterEach(() => stop?.())

async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    onSocket(socket.on('error', () => undefined))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stop = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : -1
}

const session = (port: number, auth: HiveAuth, signal = new AbortController().signal) =>
  withHive(
    {
      ...{ url: `hive2://127.0.0.1:${port}`, auth, database: 'd', table: 't' },
      timestamps: 'timestamp'
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
