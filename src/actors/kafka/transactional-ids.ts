import type { Cluster } from './cluster.ts'
import { kafkaFault } from './errors.ts'
import type { Api } from './link.ts'
import { TransactionSession } from './producer.ts'
import { Reader, Writer } from './wire.ts'

/** Transactional ids of other people: which there are, and how they are taken away from whoever has them. */

const KEY = 66
/** Ids that are fenced side by side, each over a connection of its own. */
const AT_ONCE = 8

/**
 * All transactional ids that we may see, whatever they are doing; an id that we may take is one that we may see.
 * `undefined` where the brokers cannot tell (older than Kafka 3.0).
 */
export async function listTransactionalIds(
  cluster: Cluster,
  signal: AbortSignal
): Promise<string[] | undefined> {
  const { brokers } = await cluster.metadata(signal, [])
  // Each broker knows those that it coordinates.
  const asking = [...brokers.keys()].map((node) =>
    cluster.askNode(
      node,
      async (link) => {
        if (link.version(KEY) === undefined) return undefined
        const { error, ids } = await link.call(listTransactionsApi)
        if (error !== 0) throw kafkaFault(error, `transactional ids of ${cluster.name}`)
        return ids
      },
      signal
    )
  )
  const told = await Promise.all(asking)
  return told.some((ids) => ids === undefined) ? undefined : told.flatMap((ids) => ids ?? [])
}

/**
 * InitProducerId for each of the ids: what they have open is aborted, its markers are written when this resolves, and
 * whoever used them gets nothing written any more.
 */
export async function fenceIds(
  cluster: Cluster,
  ids: readonly string[],
  timeoutMs: number,
  signal: AbortSignal
): Promise<void> {
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const some = ids.slice(at, at + AT_ONCE).map(async (transactionalId) => {
      const session = new TransactionSession({ cluster, transactionalId, timeoutMs })
      await session.fence(signal).finally(() => session.destroy())
    })
    await Promise.all(some)
  }
}

interface Listed {
  readonly error: number
  readonly ids: readonly string[]
}

/** ListTransactions v0, of all states and producers. */
const listTransactionsApi: Api<Listed> = {
  key: KEY,
  version: 0,
  name: 'ListTransactions',
  flexible: true,
  encode: () => [new Writer().uvarint(1).uvarint(1).noTags().take()],
  decode: (body) => {
    const reader = new Reader(body)
    reader.int32()
    const error = reader.int16()
    reader.compactArray(() => reader.compactString())
    const ids = reader.compactArray(() => {
      const id = reader.compactString() ?? ''
      reader.int64()
      reader.compactString()
      reader.skipTags()
      return id
    })
    return { error, ids }
  }
}
