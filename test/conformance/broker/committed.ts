import { AbortedFilter } from '../../../src/records/aborted.ts'
import { batchesOf, readHeader } from '../../../src/records/batch.ts'
import { decodeRecords } from '../../../src/records/record.ts'
import type { RawClient } from './raw-client.ts'
import { type At, fetch } from './requests.ts'

/** The values of a partition from its start to its last stable offset, as a read_committed consumer sees them. */
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
