import { Fault } from '../../errors.ts'
import type { Store } from './store.ts'

/**
 * Two conditional creations of one fresh path must give success, then refusal. Rejects with
 * `store-without-conditional-writes` when the second one overwrites (some stores ignore the condition silently), and with
 * the doubt when the store gave no clear answer. There is no fallback that pretends.
 */
export async function probeConditions(store: Store, path: string, signal: AbortSignal): Promise<void> {
  const first = await store.create(path, Buffer.from('{"probe":1}\n'), signal)
  const second = await store.create(path, Buffer.from('{"probe":2}\n'), signal)
  const kept = await store.read(path, signal)
  await store.remove(path, signal)
  for (const answer of [first, second]) {
    if (answer.outcome === 'doubtful') throw answer.fault
  }
  const refused = second.outcome === 'exists' && kept?.toString() === '{"probe":1}\n'
  if (first.outcome === 'created' && refused) return
  throw new Fault(
    'store-without-conditional-writes',
    `${store.uri} overwrites an existing file although it was asked not to: exactly-once delivery needs a store that refuses`
  )
}
