import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  Cluster,
  type ClusterOptions,
  type SaslOptions,
  type TlsOptions
} from '../../src/actors/kafka/cluster.ts'
import { describeError } from '../../src/log.ts'
import { Canaries } from '../support/canaries.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasOpenssl } from '../tools/openssl.ts'
import { hasPython } from '../tools/python.ts'
import { hasKafka, type RealKafka, type SecureAddresses, startKafka } from './kafka.ts'
import { createTopics, expectSame, feed, kafkajs, MirrorProcess } from './kafka-mirror.ts'

const defer = cleanups()
const canaries = new Canaries()
const password = canaries.make('password')
const wrongPassword = canaries.make('wrong password')
const guestPassword = canaries.make('guest password')
const security = { users: { causeway: password, guest: guestPassword }, acl: true }
const superUsers = { 'super.users': 'User:ANONYMOUS;User:causeway;User:CN=client' }
const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const

describe.skipIf(!hasKafka || !hasPython || !hasOpenssl)('secured Apache Kafka 4.1.1', () => {
  let kafka: RealKafka
  beforeAll(async () => {
    kafka = await startKafka(superUsers, { security })
  })
  afterAll(() => kafka?.stop())

  const at = (listener: keyof SecureAddresses) => kafka.node.secure?.[listener] ?? ''
  const tls = (more: Partial<TlsOptions> = {}): TlsOptions => ({ ca: pem('ca'), ...more })
  const pem = (file: 'ca' | 'otherCa' | 'clientCert' | 'clientKey') =>
    readFileSync(kafka.certificates?.[file] ?? '', 'utf8')
  const sasl = (
    mechanism: SaslOptions['mechanism'],
    secret = password,
    username = 'causeway'
  ): SaslOptions => ({ mechanism, username, password: { reveal: () => secret } })

  function cluster(broker: string, more: Pick<ClusterOptions, 'tls' | 'sasl'>): Cluster {
    const times = { connectTimeoutMs: 10_000, requestTimeoutMs: 10_000 }
    const who = { name: 'onprem', brokers: [broker], clientId: 'test', log: pino({ level: 'silent' }) }
    const opened = new Cluster({ ...who, ...times, ...more })
    defer(() => opened.close())
    return opened
  }

  async function refusal(broker: string, more: Pick<ClusterOptions, 'tls' | 'sasl'>): Promise<unknown> {
    const asked = cluster(broker, more).metadata(AbortSignal.timeout(60_000))
    const error: unknown = await asked.then(
      () => undefined,
      (reason: unknown) => reason
    )
    expect(canaries.foundIn(JSON.stringify(describeError(error)))).toEqual([])
    return error
  }

  const fault = (code: string, broker: string, what: string, retryable = false) => ({
    code,
    retryable,
    message: expect.stringMatching(new RegExp(`^cluster onprem: ${broker}: .*${what}`))
  })

  describe.each(mechanisms)('%s', (mechanism) => {
    test.each(['sasl', 'saslSsl'] as const)('it lets us in by the listener %s', async (listener) => {
      const secure = listener === 'saslSsl' ? { tls: tls() } : {}
      const opened = cluster(at(listener), { sasl: sasl(mechanism), ...secure })
      const { brokers } = await opened.metadata(AbortSignal.timeout(60_000))
      const port = Number(at(listener).split(':')[1])
      expect([...brokers.values()]).toEqual([{ host: '127.0.0.1', port }])
    })

    test.each([
      ['a wrong password', () => sasl(mechanism, wrongPassword)],
      ['a user that there is not', () => sasl(mechanism, password, 'nobody')]
    ])('%s is refused, by name', async (_, credentials) => {
      const refused = await refusal(at('sasl'), { sasl: credentials() })
      const what = 'SASL .*([Ii]nvalid username or password|invalid credentials)'
      expect(refused).toMatchObject(fault('authentication-failed', at('sasl'), what))
    })
  })

  test('TLS lets us in by the address and by a name in the certificate', async () => {
    for (const more of [{}, { serverName: 'kafka.test' }]) {
      const opened = cluster(at('ssl'), { tls: tls(more) })
      expect((await opened.metadata(AbortSignal.timeout(60_000))).brokers.size).toBe(1)
    }
  })

  test('a certificate of ours lets us in where one is required', async () => {
    const ours = { cert: pem('clientCert'), key: pem('clientKey') }
    const opened = cluster(at('mtls'), { tls: tls(ours) })
    expect((await opened.metadata(AbortSignal.timeout(60_000))).brokers.size).toBe(1)
  })

  test.each<[string, () => TlsOptions, string]>([
    ['another authority', () => ({ ca: pem('otherCa') }), 'unable to verify the first certificate$'],
    ["the system's authorities", () => ({}), 'unable to verify the first certificate$'],
    ['another name', () => tls({ serverName: 'other.test' }), "other.test. is not in the cert's altnames"]
  ])('%s does not fit the certificate, and the fault says what does not fit', async (_, options, what) => {
    const refused = await refusal(at('ssl'), { tls: options() })
    expect(refused).toMatchObject(fault('tls-failed', at('ssl'), what))
  })

  test('without a certificate of ours, the fault says that one may be wanted', async () => {
    const refused = await refusal(at('mtls'), { tls: tls() })
    const what = 'certificate; it may want a client certificate, and none is configured$'
    expect(refused).toMatchObject(fault('tls-failed', at('mtls'), what))
  })

  test('plain text to a TLS listener is told from a broker that is away', async () => {
    for (const listener of ['ssl', 'saslSsl'] as const) {
      const refused = await refusal(at(listener), { sasl: sasl('plain') })
      const what = 'the broker speaks TLS, and no tls is configured$'
      expect(refused).toMatchObject(fault('tls-failed', at(listener), what))
    }
  })

  test('a listener for SASL and a client without it, and the other way round', async () => {
    const withoutSasl = await refusal(at('sasl'), {})
    const missing = 'it may want SASL, and none is configured$'
    expect(withoutSasl).toMatchObject(fault('link-closed', at('sasl'), missing, true))
    const direct = kafka.direct[0] ?? ''
    const unasked = await refusal(direct, { sasl: sasl('plain') })
    const what = 'the listener may be one without SASL$'
    expect(unasked).toMatchObject(fault('authentication-failed', direct, what))
    const tlsToPlain = await refusal(direct, { tls: tls() })
    expect(tlsToPlain).toMatchObject(
      fault('unreachable', direct, 'its listener may be one without TLS$', true)
    )
  })

  test('what an ACL forbids is a fault that names the topic', async () => {
    await createTopics(kafkajs(kafka.direct), [{ topic: 'closed', numPartitions: 1 }])
    const guest = cluster(at('sasl'), { sasl: sasl('scram-sha-256', guestPassword, 'guest') })
    const parts = [{ topic: 'closed', partition: 0, timestamp: -1 }] as const
    const signal = AbortSignal.timeout(60_000)
    const topic = { partitions: 1, replication: 1, configs: {} }
    const refused = { code: 'kafka-topic-authorization-failed', retryable: false }
    await expect(guest.createTopic('mine', topic, signal)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('topic mine')
    })
    const { topics } = await guest.metadata(signal, ['closed'])
    expect(topics.get('closed')).toMatchObject({ error: 29, partitions: [] })
    await expect(guest.listOffsets(parts, 0, signal)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('closed-0')
    })
  })

  test('mirrors carry records between all kinds of listeners, and no secret shows', {
    timeout: 240_000
  }, async () => {
    const records = 2_000
    const target = await startKafka(superUsers, { security })
    defer(() => target.stop())
    const topics = { a: records, b: records, c: records, d: records }
    const created = Object.keys(topics).map((topic) => ({ topic, numPartitions: 4, replicationFactor: 1 }))
    await createTopics(kafkajs(kafka.direct), created)
    for (const topic of Object.keys(topics)) {
      await feed({ 'bootstrap.servers': kafka.direct.join() }, topic, { records })
    }
    const mirror = MirrorProcess.start(
      [
        ...['sasl', 'saslSsl', 'ssl', 'mtls'].flatMap((listener) =>
          mechanisms.flatMap((mechanism) => [
            section('source', kafka, listener as keyof SecureAddresses, mechanism),
            section('target', target, listener as keyof SecureAddresses, mechanism)
          ])
        ),
        copies('a', 'source-saslSsl-scram-sha-512', 'target-sasl-plain'),
        copies('b', 'source-sasl-scram-sha-256', 'target-saslSsl-scram-sha-256'),
        copies('c', 'source-mtls-plain', 'target-saslSsl-plain'),
        copies('d', 'source-ssl-plain', 'target-mtls-plain')
      ].join(''),
      { PASSWORD: password }
    )
    defer(() => mirror.remove())
    await mirror.copied(kafkajs(kafka.direct), Object.keys(topics))
    const url = mirror.url() ?? ''
    const pages = ['/', '/metrics', '/api/state', '/readyz'].map(async (path) =>
      (await fetch(`${url}${path}`)).text()
    )
    const shown = (await Promise.all(pages)).join('\n')
    expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
    expect(canaries.foundIn(`${shown}${mirror.worker.stderr}${mirror.worker.stdout}`)).toEqual([])
    const properties = (side: RealKafka) => ({ 'bootstrap.servers': side.direct.join() })
    await expectSame(properties(kafka), properties(target), topics)
  })

  test('sessions that the brokers end after three seconds cost no record', {
    timeout: 240_000
  }, async () => {
    const expiring = { ...superUsers, 'connections.max.reauth.ms': '3000' }
    const [source, target] = await Promise.all([
      startKafka(expiring, { security }),
      startKafka(expiring, { security })
    ])
    defer(() => Promise.all([source.stop(), target.stop()]))
    await createTopics(kafkajs(source.direct), [{ topic: 'e', numPartitions: 4, replicationFactor: 1 }])
    const mirror = MirrorProcess.start(
      section('source', source, 'saslSsl', 'scram-sha-256') +
        section('target', target, 'sasl', 'plain') +
        copies('e', 'source-saslSsl-scram-sha-256', 'target-sasl-plain'),
      { PASSWORD: password }
    )
    defer(() => mirror.remove())
    const properties = (side: RealKafka) => ({ 'bootstrap.servers': side.direct.join() })
    await feed(properties(source), 'e', { records: 2_000, seconds: 8 })
    await mirror.copied(kafkajs(source.direct), ['e'])
    expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
    // How the end of a session shows depends on whether we were just writing.
    expect(mirror.worker.stderr).toMatch(/the broker closed the connection|EPIPE|ECONNRESET/)
    await expectSame(properties(source), properties(target), { e: 2_000 })
  })
})

/** `[cluster.<side>-<listener>-<mechanism>]` for a worker whose environment has the password. */
function section(
  side: string,
  { node, certificates }: RealKafka,
  listener: keyof SecureAddresses,
  mechanism: string
): string {
  const credentials = `username = "causeway", password = "\${env:PASSWORD}"`
  const own =
    listener === 'mtls' ? `, cert = "${certificates?.clientCert}", key = "${certificates?.clientKey}"` : ''
  const name = 'server_name = "kafka.test"'
  return `[cluster.${side}-${listener}-${mechanism}]
brokers = ["${node.secure?.[listener]}"]
${listener === 'sasl' ? '' : `tls = { ca = "${certificates?.ca}", ${name}${own} }`}
${listener.startsWith('sasl') ? `sasl = { mechanism = "${mechanism}", ${credentials} }` : ''}
`
}

function copies(topic: string, from: string, to: string): string {
  return `[mirror.${topic}]\nfrom = "${from}"\nto = "${to}"\ntopics = ["${topic}"]\n`
}
