import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openLink } from '../../../src/actors/kafka/link.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
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

async function link(tls: { ca?: string; serverName?: string }) {
  const broker = await ScriptedBroker.start({
    scripts: { [ECHO]: () => large },
    versions: { [ECHO]: 0 },
    tls: pem
  })
  const where = { host: '127.0.0.1', port: broker.port, clientId: 'test', tls }
  return openLink({ ...where, connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 }, never)
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
