import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type BrokerOptions, type EmbeddedBroker, startBroker } from '../../../src/embedded/broker/broker.ts'
import { RawClient } from '../../conformance/broker/raw-client.ts'

export { committedValues } from '../../conformance/broker/committed.ts'

/** A directory that is gone after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-broker-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A broker that is stopped after the test. */
export async function brokerIn(
  dataDir: string,
  options: Partial<BrokerOptions> = {}
): Promise<EmbeddedBroker> {
  const broker = await startBroker({ dataDir, ...options })
  onTestFinished(() => broker.stop())
  return broker
}

/** A connection that is closed after the test. */
export async function clientOf(broker: { readonly brokers: readonly string[] }): Promise<RawClient> {
  const client = await RawClient.connect(broker.brokers[0] ?? '')
  onTestFinished(() => client.close())
  return client
}
