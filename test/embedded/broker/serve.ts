import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startBroker } from '../../../src/embedded/broker/broker.ts'

/**
 * The embedded broker by itself, on ports that a foreign test suite expects; a node for each port, with ids from 0 on.
 * It ends with SIGINT or SIGTERM and leaves nothing behind.
 *
 *     node test/embedded/broker/serve.ts --host localhost --ports 9092,9095,9098 --replication 2 --partitions 2
 */
const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    ports: { type: 'string', default: '9092' },
    partitions: { type: 'string', default: '1' },
    replication: { type: 'string', default: '1' }
  }
})
const dataDir = mkdtempSync(join(tmpdir(), 'causeway-broker-'))
const broker = await startBroker({
  dataDir,
  host: values.host,
  port: values.ports.split(',').map(Number),
  nodeId: 0,
  autoCreateTopics: true,
  topics: { partitions: Number(values.partitions), replication: Number(values.replication) },
  groups: { initialRebalanceDelayMs: 0, minSessionTimeoutMs: 6_000 },
  log: {
    info: (fields, message) => console.log(message, fields),
    warn: (fields, message) => console.warn(message, fields)
  }
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await broker.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
}
