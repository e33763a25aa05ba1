import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { parseArgs } from 'node:util'
import { startBroker } from '../../../src/embedded/broker/broker.ts'

/**
 * The embedded broker by itself, on ports that a foreign test suite expects; a node for each port, with ids from 0 on.
 * With `--tls` each node gets a second port, where TLS ends before it. It ends with SIGINT or SIGTERM and leaves
 * nothing behind.
 *
 *     node test/embedded/broker/serve.ts --host localhost --ports 9092,9095,9098 --tls 9093,9096,9099 \
 *       --replication 2 --partitions 2
 */
const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    ports: { type: 'string', default: '9092' },
    tls: { type: 'string', default: '' },
    partitions: { type: 'string', default: '1' },
    replication: { type: 'string', default: '1' }
  }
})
const { host } = values
const ports = numbers(values.ports)
const directory = mkdtempSync(join(tmpdir(), 'causeway-broker-'))
const broker = await startBroker({
  dataDir: join(directory, 'data'),
  host,
  port: ports,
  nodeId: 0,
  autoCreateTopics: true,
  topics: { partitions: Number(values.partitions), replication: Number(values.replication) },
  groups: { initialRebalanceDelayMs: 0, minSessionTimeoutMs: 6_000 },
  log: {
    info: (fields, message) => console.log(message, fields),
    warn: (fields, message) => console.warn(message, fields)
  }
})
for (const [index, port] of numbers(values.tls).entries()) endTls(port, ports[index] ?? 0)
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await broker.stop()
    rmSync(directory, { recursive: true, force: true })
    process.exit()
  })
}

function numbers(list: string): number[] {
  return list.split(',').filter(Boolean).map(Number)
}

/** Passes on what comes to a port under TLS, with a certificate of its own that nobody has signed. */
function endTls(port: number, plainPort: number): void {
  const [key, cert] = [join(directory, `${port}.key`), join(directory, `${port}.pem`)]
  const subject = ['-subj', `/CN=${host}`, '-days', '1', '-nodes', '-newkey', 'rsa:2048']
  execFileSync('openssl', ['req', '-x509', ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (secured) => {
    const plain = connect(plainPort, host)
    for (const socket of [secured, plain]) {
      socket.on('error', () => {})
      socket.on('close', () => {
        secured.destroy()
        plain.destroy()
      })
    }
    secured.pipe(plain).pipe(secured)
  })
  server.listen(port, host)
}
