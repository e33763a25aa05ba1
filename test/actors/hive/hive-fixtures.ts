import { type HiveTable, hiveTable } from '../../../src/actors/hive/table.ts'
import type { Entry } from '../../../src/actors/store/entry.ts'
import { type ChainId, chainName } from '../../../src/actors/store/names.ts'

/** Hourly partitions of topic `hybrid` of sink `test.raw`. */
export const hourly: HiveTable = hiveTable({
  hive: { database: 'default', table: 'tweets', timestamps: 'timestamp' },
  sink: 'test.raw',
  template: '{topic}/dt={date}/hour={hour}',
  columns: [{ name: 'id', type: 'int64', nullable: false }],
  store: { path: '/lake' }
})

/** A published entry `[from, from + 10)` with one file in each of some hours. */
export function publishedEntry(chain: ChainId, from: number, hours: readonly number[]): Entry {
  const nonce = '0'.repeat(16)
  const files = hours.map((hour) => {
    const directory = `hybrid/dt=2026-01-02/hour=${String(hour).padStart(2, '0')}`
    const path = `data/test.raw/${directory}/hybrid+${chain.partition}+${from}+${from + 10}+${nonce}.parquet`
    const preparation = { type: 'rename', temporary: `.${path}` } as const
    const sha256 = '0'.repeat(64)
    return {
      ...({ kind: 'data', path, bytes: 1, records: 1 } as const),
      ...{ minEventTime: null, maxEventTime: null, sha256, preparation }
    }
  })
  const kept = files.length
  return {
    ...({ version: 1, type: 'entry', chain: chainName(chain), from, to: from + 10 } as const),
    ...{ reason: kept === 0 ? 'filtered' : null, counts: { read: kept, kept, filtered: 0, dead: 0 } },
    ...{ leaderEpoch: 0, schema: 's', config: 'c', encoder: 'e', nonce },
    ...{ committedAt: new Date(0).toISOString(), files }
  }
}
