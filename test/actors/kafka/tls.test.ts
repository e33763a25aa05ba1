import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsOptions as ServerOptions } from 'node:tls'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openLink } from '../../../src/actors/kafka/link.ts'
import { hasOpenssl } from '../../tools/openssl.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const never = new AbortController().signal
const directory = mkdtempSync(join(tmpdir(), 'causeway-tls-'))
const pem = { key: '', cert: '' }

beforeAll(() => {
  if (!hasOpenssl) return
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const subject = ['-subj', '/CN=kafka.test', '-addext', 'subjectAltName=DNS:kafka.test']
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key]
  execFileSync('openssl', ['req', '-x509', ...newKey, '-out', cert, ...subject], { stdio: 'ignore' })
  Object.assign(pem, { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') })
})

afterAll(() => rmSync(directory, { recursive: true }))

const ECHO = 99
const large = Buffer.alloc(3 * 1024 * 1024, 'y')

interface Trust {
  readonly ca?: string
  readonly serverName?: string
}

async function link(tls: Trust, more: ServerOptions = {}) {
  const broker = await ScriptedBroker.start({
    scripts: { [ECHO]: () => large },
    versions: { [ECHO]: 0 },
    tls: { ...pem, ...more }
  })
  return openLink(optionsFor(broker.port, tls), never)
}

function optionsFor(port: number, tls?: Trust) {
  const where = { host: '127.0.0.1', port, clientId: 'test', tls }
  return { ...where, connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 }
}

/** A listener that does one thing with what it is sent first. */
async function listener(answer: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => answer(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : -1
}

test.skipIf(!hasOpenssl)('frames are read straight from TLS', async () => {
  const opened = await link({ ca: pem.cert, serverName: 'kafka.test' })
  const api = { key: ECHO, version: 0, name: 'Echo', encode: () => [], decode: (body: Buffer) => body }
  const answers = await Promise.all([opened.call(api), opened.call(api)])
  expect(answers.every((answer) => answer.equals(large))).toBe(true)
  opened.destroy()
})

test.skipIf(!hasOpenssl)('a certificate that does not fit is no passing fault', async () => {
  await expect(link({})).rejects.toMatchObject({ code: 'tls-failed', retryable: false })
  const misnamed = link({ ca: pem.cert, serverName: 'other.test' })
  await expect(misnamed).rejects.toMatchObject({ code: 'tls-failed', retryable: false })
})

test.skipIf(!hasOpenssl)('a broker that wants a certificate of ours says so', async () => {
  const trust = { ca: pem.cert, serverName: 'kafka.test' }
  const asked = link(trust, { requestCert: true, rejectUnauthorized: true })
  await expect(asked).rejects.toMatchObject({
    code: 'tls-failed',
    message: expect.stringMatching(/^127\.0\.0\.1:\d+: .*certificate.* none is configured$/),
    retryable: false
  })
})

test('plain text to a TLS listener: its alert is understood, and no passing fault', async () => {
  const port = await listener((socket) => socket.end(Buffer.from('15030300020250', 'hex')))
  await expect(openLink(optionsFor(port), never)).rejects.toMatchObject({
    code: 'tls-failed',
    message: `127.0.0.1:${port}: the broker speaks TLS, and no tls is configured`,
    retryable: false
  })
})

test('a connection that is closed in the handshake may be one for TLS, or one without; it may also pass', async () => {
  const silent = await listener((socket) => socket.end())
  await expect(openLink(optionsFor(silent), never)).rejects.toMatchObject({
    code: 'unreachable',
    message: `127.0.0.1:${silent}: closed during the handshake; it may want TLS, and none is configured`,
    retryable: true
  })
  const plain = await listener((socket) => socket.resetAndDestroy())
  await expect(openLink(optionsFor(plain, {}), never)).rejects.toMatchObject({
    code: 'unreachable',
    message: expect.stringContaining('its listener may be one without TLS'),
    retryable: true
  })
})
