import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type BrokerOptions, type EmbeddedBroker, startBroker } from '../../../src/embedded/broker/broker.ts'
import { AbortedFilter } from '../../../src/records/aborted.ts'
import { batchesOf, readHeader } from '../../../src/records/batch.ts'
import { decodeRecords } from '../../../src/records/record.ts'
import { RawClient } from '../../conformance/broker/raw-client.ts'
import { type At, fetch } from '../../conformance/broker/requests.ts'

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

/** The values of a partition from the start to the end, as a read_committed consumer sees them. */
export async function committedValues(client: RawClient, at0: At): Promise<string[]> {
  const values: string[] = []
  for (let offset = 0; ; ) {
    const { error, records, aborted } = await client.call(fetch(at0, { offset, committed: true }))
    if (error !== 0) throw new Error(`the fetch answered ${error}`)
    const filter = new AbortedFilter(aborted ?? [])
    const before = offset
    for (const batch of batchesOf(records)) {
      const header = readHeader(batch, 0)
      offset = header.lastOffset + 1
      if (filter.isAborted(header) || header.control) continue
      for (const { value } of decodeRecords(batch)) values.push(String(value))
    }
    if (offset === before) return values
  }
}
