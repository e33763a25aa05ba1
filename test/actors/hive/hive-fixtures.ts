import { type HiveTable, hiveTable } from '../../../src/actors/hive/table.ts'
import { type Entry, serialize } from '../../../src/actors/store/entry.ts'
import { type ChainId, chainName, entryPath, genesisPath, headPath } from '../../../src/actors/store/names.ts'
import type { Store } from '../../../src/actors/store/store.ts'

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

const { signal } = new AbortController()

export async function writeGenesis(store: Store, chain: ChainId, start: number): Promise<void> {
  const { topic, topicId, partition } = chain
  const genesis = serialize({
    ...({ version: 1, type: 'genesis', chain: chainName(chain), start, reason: 'earliest' } as const),
    ...{ clusterId: '', topicId, topic, partition, createdAt: new Date(0).toISOString() }
  })
  await store.replace(genesisPath(chain), genesis, signal)
}

export async function writeEntry(store: Store, chain: ChainId, entry: Entry): Promise<void> {
  await store.replace(entryPath(chain, entry.from), serialize(entry), signal)
  const { from, to, nonce } = entry
  const head = { version: 1, type: 'head', from, to, nonce, publishedAt: new Date(0).toISOString() } as const
  await store.replace(headPath(chain), serialize(head), signal)
}

export async function writeClosed(store: Store, chain: ChainId, from: number, closed: number): Promise<void> {
  const record = {
    ...({ version: 1, type: 'closed', chain: chainName(chain), from, closed } as const),
    ...{ nonce: '1', committedAt: new Date(0).toISOString() }
  }
  await store.replace(entryPath(chain, from), serialize(record), signal)
}
