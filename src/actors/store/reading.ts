import { Fault } from '../../errors.ts'
import { type ClosedEntry, type Entry, parseHead } from './entry.ts'
import { type ChainId, chainPrefix, headPath } from './names.ts'
import { walkEntries } from './records.ts'
import { readSealed } from './segments.ts'
import type { Store } from './store.ts'

/**
 * The entries of one generation from `from` on, in order, whether they lie loose or in a segment, to the end of the log
 * or to the one that closes it. Rejects with `log-gap` where the head tells of more.
 */
export async function* entriesFrom(
  store: Store,
  chain: ChainId,
  from: number,
  signal: AbortSignal
): AsyncGenerator<Entry | ClosedEntry, void, undefined> {
  for (let next = from; ; ) {
    for await (const entry of walkEntries(store, chain, next, signal)) {
      yield entry
      if (entry.type === 'closed') return
      next = entry.to
    }
    const sealed = await sealedFrom(store, chain, next, signal)
    if (sealed.length === 0) return
    for (const entry of sealed) {
      yield entry
      next = entry.to
    }
  }
}

/** Where no entry lies loose: none at the log's end, which costs one read of the head and no listing. */
async function sealedFrom(
  store: Store,
  chain: ChainId,
  next: number,
  signal: AbortSignal
): Promise<readonly Entry[]> {
  const content = await store.read(headPath(chain), signal)
  const head = content && parseHead(content)
  if (head === undefined || head.to <= next) return []
  const sealed = await readSealed(store, chain, next, signal)
  if (sealed.length > 0) return sealed
  throw new Fault('log-gap', `${chainPrefix(chain)}: no entry begins at ${next}`, { retryable: true })
}
