import { createHash } from 'node:crypto'
import { type Entry, instantOf } from '../../src/actors/store/entry.ts'
import { type ChainId, chainName, dataPath, entryId } from '../../src/actors/store/names.ts'
import type { Store } from '../../src/actors/store/store.ts'

export const chainOf = (partition = 0): ChainId => ({
  sink: 'test.raw',
  topic: 'hybrid',
  topicId: 'topic-id-1',
  generation: 1,
  partition
})

/** An entry `[from, to)` whose one file holds one line per offset, prepared in the store. */
export async function preparedEntry(
  store: Store,
  chain: ChainId,
  range: { readonly from: number; readonly to: number; readonly nonce: string },
  signal: AbortSignal
): Promise<Entry> {
  const { from, to, nonce } = range
  const lines = Array.from({ length: to - from }, (_, index) => `${from + index}\n`)
  const content = Buffer.from(lines.join(''))
  const path = dataPath('hybrid/dt=2026-01-02/hour=03', { chain, ...range })
  const id = entryId(chainName(chain), from, nonce)
  const preparation = await store.prepare(
    { path, parts: [content], bytes: content.length, entryId: id },
    signal
  )
  return {
    version: 1,
    type: 'entry',
    chain: chainName(chain),
    from,
    to,
    reason: null,
    counts: { read: to - from, kept: to - from, filtered: 0, dead: 0 },
    leaderEpoch: 0,
    schema: 's',
    config: 'c',
    encoder: 'e',
    nonce,
    committedAt: instantOf(0),
    files: [
      {
        kind: 'data',
        path,
        bytes: content.length,
        records: to - from,
        minEventTime: null,
        maxEventTime: null,
        sha256: createHash('sha256').update(content).digest('hex'),
        preparation
      }
    ]
  }
}
