import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runOk } from '../../tools/run.ts'
import type { KafkaVersion } from './libraries.ts'

/** Who may come to the secured listeners, and what they may do there. */
export interface KafkaSecurity {
  /** Passwords by user name, good for every SASL mechanism. */
  readonly users: Readonly<Record<string, string>>
  /** Users of the secured listeners may do nothing until an ACL lets them; those of the plain listener anything. */
  readonly acl?: boolean
}

/** The secured listeners of a broker as `host:port`, beside its plain one. */
export interface SecureAddresses {
  /** SASL in plain text: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
  readonly sasl: string
  /** TLS without authentication of the client. */
  readonly ssl: string
  /** TLS, and a certificate of the client is required. */
  readonly mtls: string
  /** SASL over TLS. */
  readonly saslSsl: string
}

/** Files in PEM. */
export interface Certificates {
  /** The authority that signed the brokers' and the client's certificate. */
  readonly ca: string
  /** Another authority, which signed nothing. */
  readonly otherCa: string
  readonly clientCert: string
  readonly clientKey: string
  /** Beside 127.0.0.1 the only name in the brokers' certificates. */
  readonly serverName: string
  readonly serverCert: string
  readonly serverKey: string
}

/** The listeners' names and protocols; the order is that of their ports. */
export const secureListeners = {
  sasl: ['SASL', 'SASL_PLAINTEXT'],
  ssl: ['SSL', 'SSL'],
  mtls: ['MTLS', 'SSL'],
  saslSsl: ['SASLSSL', 'SASL_SSL']
} as const

export const scramMechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

/** Makes an authority with certificates for brokers and a client, by openssl. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const at = (name: string) => join(directory, name)
  const serverName = 'kafka.test'
  for (const name of ['ca', 'other-ca']) {
    const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)]
    await runOk('openssl', ['req', '-x509', ...newKey, ...files, '-days', '30', '-subj', `/CN=${name}`])
  }
  const sign = async (name: string, extensions: string) => {
    const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.csr`)]
    await runOk('openssl', ['req', ...newKey, ...files, '-subj', `/CN=${name}`])
    writeFileSync(at(`${name}.ext`), extensions)
    const issuer = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '30']
    const asked = ['-in', at(`${name}.csr`), '-extfile', at(`${name}.ext`), '-out', at(`${name}.pem`)]
    await runOk('openssl', ['x509', '-req', ...issuer, ...asked])
  }
  await sign('server', `subjectAltName=DNS:${serverName},IP:127.0.0.1\n`)
  await sign('client', 'extendedKeyUsage=clientAuth\n')
  return {
    ca: at('ca.pem'),
    otherCa: at('other-ca.pem'),
    clientCert: at('client.pem'),
    clientKey: at('client.key'),
    serverName,
    serverCert: at('server.pem'),
    serverKey: at('server.key')
  }
}

const authorizers: Readonly<Record<KafkaVersion, string>> = {
  '4.1.1': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  '2.8.2': 'kafka.security.authorizer.AclAuthorizer'
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** The broker's settings for its secured listeners. */
export function securitySettings(
  { users, acl = false }: KafkaSecurity,
  { ca, serverCert, serverKey }: Certificates,
  version: KafkaVersion
): Record<string, string> {
  const known = Object.entries(users).map(([user, password]) => `user_${user}="${password}"`)
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required ${known.join(' ')};`
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  const settings: Record<string, string> = {
    'sasl.enabled.mechanisms': ['PLAIN', ...scramMechanisms].join(','),
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.certificate.chain': oneLine(serverCert),
    'ssl.keystore.key': oneLine(serverKey),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.certificates': oneLine(ca),
    'listener.name.mtls.ssl.client.auth': 'required'
  }
  for (const [name, protocol] of Object.values(secureListeners)) {
    if (!protocol.startsWith('SASL')) continue
    const prefix = `listener.name.${name.toLowerCase()}`
    settings[`${prefix}.plain.sasl.jaas.config`] = plain
    for (const mechanism of scramMechanisms) {
      settings[`${prefix}.${mechanism.toLowerCase()}.sasl.jaas.config`] = scram
    }
  }
  if (acl) {
    settings['authorizer.class.name'] = authorizers[version]
    settings['super.users'] = 'User:ANONYMOUS'
  }
  return settings
}

/** PEM as the value of a property. In files of their own, old brokers take encrypted keys only. */
function oneLine(file: string): string {
  return readFileSync(file, 'utf8').trim().replaceAll('\n', '\\n')
}
