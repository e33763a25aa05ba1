import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withHive } from '../../src/actors/hive/session.ts'
import { type HiveConfig, Secret } from '../../src/config.ts'
import { hasOpenssl } from '../tools/openssl.ts'
import { runOk } from '../tools/run.ts'
import { type RealHdfs, startHdfs } from './hdfs.ts'
import { hasHive, type RealHive, startHive } from './hive.ts'
import { type Certificates, makeCertificates } from './kafka/security.ts'

const known = { user: 'causeway', password: 'sesame, open' }
const secured = { user: known.user, password: new Secret(known.password) }

/** HiveServer2 4.0.1 that speaks TLS alone and knows one user by his password (SASL PLAIN); another one without SASL. */
describe.skipIf(!hasHive || !hasOpenssl)('Hive 4.0.1 over TLS', () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-hive-tls-'))
  let certificates: Certificates
  let hdfs: RealHdfs
  let hive: RealHive
  let open: RealHive
  beforeAll(async () => {
    certificates = await makeCertificates(directory)
    const keystore = await makeKeystore(directory, certificates)
    hdfs = await startHdfs({ superuser: 'causeway' })
    hive = await startHive(hdfs, { authentication: known, keystore })
    open = await startHive(hdfs, { authentication: 'NOSASL', keystore })
  }, 300_000)
  afterAll(async () => {
    await Promise.all([hive?.stop(), open?.stop()])
    await hdfs?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  const pem = (file: 'ca' | 'otherCa') => readFileSync(certificates[file], 'utf8')
  const databases = (server: RealHive, more: Partial<HiveConfig>) => {
    const url = `hive2://127.0.0.1:${server.port}`
    const config: HiveConfig = {
      url,
      auth: 'plain',
      database: 'default',
      table: 't',
      timestamps: 'bigint',
      ...more
    }
    return withHive(config, (session) => session.run('SHOW DATABASES'), AbortSignal.timeout(60_000))
  }

  test('a user with his password is let in, by the authority that signed, with the address or a name of the certificate', async () => {
    const rows = [{ database_name: 'default' }]
    expect(await databases(hive, { ...secured, tls: { ca: pem('ca') } })).toEqual(rows)
    const tls = { ca: pem('ca'), serverName: certificates.serverName }
    expect(await databases(hive, { ...secured, tls })).toEqual(rows)
    expect(await databases(open, { auth: 'nosasl', tls })).toEqual(rows)
  })

  test.each<[string, Partial<HiveConfig>]>([
    ['a wrong password', { user: known.user, password: new Secret('sesame') }],
    ['another user', { user: 'mallory', password: new Secret(known.password) }],
    ['nobody', {}]
  ])('%s is refused in words of its own', async (_, who) => {
    await expect(databases(hive, { ...who, tls: { ca: pem('ca') } })).rejects.toMatchObject({
      code: 'hive-refused',
      retryable: true,
      message: expect.stringMatching(/^127\.0\.0\.1:\d+: Authentication error: Error validating the login/)
    })
  })

  const untrusted: readonly [string, () => NonNullable<HiveConfig['tls']>, string][] = [
    ['another authority', () => ({ ca: pem('otherCa') }), 'self-signed certificate in certificate chain'],
    ["the system's authorities", () => ({}), 'self-signed certificate in certificate chain'],
    [
      'another name',
      () => ({ ca: pem('ca'), serverName: 'hive.example' }),
      'Host: hive.example. is not in the cert'
    ]
  ]
  test.each(untrusted)(
    '%s does not fit the certificate; nothing is said to the stranger',
    async (_, tls, why) => {
      for (const [server, more] of [
        [hive, secured],
        [open, { auth: 'nosasl' }]
      ] as const) {
        await expect(databases(server, { ...more, tls: tls() })).rejects.toMatchObject({
          code: 'hive-unreachable',
          message: expect.stringMatching(`^127\\.0\\.0\\.1:\\d+: TLS failed: .*${why}`)
        })
      }
    }
  )

  test('who does not speak TLS is not let in', async () => {
    await expect(databases(hive, secured)).rejects.toMatchObject({
      retryable: true,
      message: expect.stringContaining('speaks TLS')
    })
  })
})

/** A keystore of Java's own kind, made by its keytool. */
async function makeKeystore(directory: string, { serverCert, serverKey, ca }: Certificates) {
  const password = 'of-the-keystore'
  const [source, path] = [join(directory, 'server.p12'), join(directory, 'hive.jks')]
  const pems = ['-in', serverCert, '-inkey', serverKey, '-certfile', ca]
  await runOk('openssl', [
    'pkcs12',
    '-export',
    ...pems,
    '-name',
    'hive',
    '-out',
    source,
    '-passout',
    `pass:${password}`
  ])
  const from = ['-srckeystore', source, '-srcstoretype', 'PKCS12', '-srcstorepass', password]
  const to = ['-destkeystore', path, '-deststoretype', 'JKS', '-deststorepass', password]
  await runOk('keytool', ['-importkeystore', '-noprompt', ...from, ...to])
  return { path, password }
}
