import { type Entry, serialize } from '../../src/actors/store/entry.ts'
import {
  type ChainId,
  chainName,
  entryPath,
  genesisPath,
  headPath,
  segmentPath
} from '../../src/actors/store/names.ts'
import type { Store } from '../../src/actors/store/store.ts'

/** Records of a log as they stand in a store, written without the code that commits them. */

const { signal } = new AbortController()

export async function writeGenesis(store: Store, chain: ChainId, start: number): Promise<void> {
  const { topic, topicId, partition } = chain
  const genesis = serialize({
    ...({ version: 1, type: 'genesis', chain: chainName(chain), start, reason: 'earliest' } as const),
    ...{ clusterId: '', topicId, topic, partition, createdAt: new Date(0).toISOString() }
  })
  await store.replace(genesisPath(chain), genesis, signal)
}

/** With its head. */
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

/** Its entries may lie loose as well. */
export async function writeSegment(store: Store, chain: ChainId, entries: readonly Entry[]): Promise<void> {
  const [from = 0, to = 0] = [entries[0]?.from, entries.at(-1)?.to]
  const segment = serialize({
    ...({ version: 1, type: 'segment', chain: chainName(chain), from, to } as const),
    ...{ sealedAt: new Date(0).toISOString(), entries }
  })
  await store.replace(segmentPath(chain, from, to), segment, signal)
}
