import { toFault } from '../../errors.ts'
import { batchesOf, readHeader } from '../../records/batch.ts'
import type { Cluster } from './cluster.ts'
import { kafkaFault } from './errors.ts'
import { fetchApi } from './fetch.ts'
import type { Api, Link } from './link.ts'
import type { TopicPartition } from './topic-partition.ts'
import { Reader, Writer } from './wire.ts'

/** Who keeps the last stable offset of a partition from moving, and how an operator ends that (KIP-664). */

/** A last stable offset that stands still: a transaction began there. */
export interface HeldOffset extends TopicPartition {
  readonly offset: number
}

/** The producer of a transaction in a partition. */
export interface Holder {
  readonly producerId: number
  readonly producerEpoch: number
  /** When its last record here was made, in milliseconds since 1970; -1 when it does not say. */
  readonly lastTimestamp: number
}

/** As much of a cluster as it takes. */
type Asked = Pick<Cluster, 'bootstrap' | 'leader' | 'askNode'>

interface ActiveProducer extends Holder {
  /** Where its open transaction began, -1 when it has none. */
  readonly transactionStart: number
}

const DESCRIBE_PRODUCERS = 61
const NOT_AVAILABLE = 5

/**
 * Whose transaction holds the offset, in words, and the command that ends it. Rejects only as `signal` says: a producer
 * that cannot be asked for is not named.
 */
export async function tellHolder(cluster: Asked, held: HeldOffset, signal: AbortSignal): Promise<string> {
  const where = `--topic ${held.topic} --partition ${held.partition}`
  const abort = `if nobody ends it: kafka-transactions.sh --bootstrap-server ${cluster.bootstrap} abort ${where}`
  try {
    const { holder, isDescribed } = await findHolder(cluster, held, signal)
    if (holder === undefined) {
      return 'no transaction is open there any more, but its end has not reached all replicas in sync'
    }
    const { producerId, producerEpoch, lastTimestamp } = holder
    const last = lastTimestamp < 0 ? '' : `, last record of ${new Date(lastTimestamp).toISOString()}`
    const which = isDescribed
      ? `--start-offset ${held.offset}`
      : `--producer-id ${producerId} --producer-epoch ${producerEpoch} --coordinator-epoch 0`
    return `producer ${producerId} (epoch ${producerEpoch}${last}) has a transaction open there; ${abort} ${which}`
  } catch (error) {
    signal.throwIfAborted()
    const why = toFault(error).message
    return `an unknown producer (${why}) has a transaction open there; ${abort} --start-offset ${held.offset}`
  }
}

interface Found {
  readonly holder: Holder | undefined
  /** The broker knows the request by which the tool finds the producer of an offset (Kafka 2.8). */
  readonly isDescribed: boolean
}

async function findHolder(cluster: Asked, held: HeldOffset, signal: AbortSignal): Promise<Found> {
  const { topic, partition, offset } = held
  const node = cluster.leader(topic, partition)
  if (node === undefined) throw kafkaFault(NOT_AVAILABLE, `${topic}-${partition}`)
  return cluster.askNode(
    node,
    async (link) => {
      const isDescribed = link.version(DESCRIBE_PRODUCERS) !== undefined
      if (isDescribed) {
        const { error, producers } = await link.call(describeProducersApi(held))
        const holder = producers.find(({ transactionStart }) => transactionStart === offset)
        if (error === 0) return { holder, isDescribed }
      }
      return { holder: await writerAt(link, held), isDescribed }
    },
    signal
  )
}

/** Who wrote the batch at an offset. */
async function writerAt(link: Link, { offset, ...place }: HeldOffset): Promise<Holder> {
  // The first batch comes whole, however long it is.
  const wanted = { ...place, fetchOffset: offset, leaderEpoch: -1, maxBytes: 1 }
  const none = { sessionId: 0, sessionEpoch: -1, forgotten: [] } as const
  const request = fetchApi({
    ...none,
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1,
    isolation: 0,
    partitions: [wanted]
  })
  const [answer] = (await link.call(request)).partitions
  const [batch] = batchesOf(answer?.recordSet ?? Buffer.alloc(0))
  if (batch === undefined)
    throw kafkaFault(answer?.error ?? -1, `${place.topic}-${place.partition} at ${offset}`)
  const { producerId, producerEpoch, maxTimestamp: lastTimestamp } = readHeader(batch, 0)
  return { producerId, producerEpoch, lastTimestamp }
}

interface Described {
  readonly error: number
  readonly producers: readonly ActiveProducer[]
}

/** DescribeProducers v0. */
function describeProducersApi({ topic, partition }: TopicPartition): Api<Described> {
  return {
    key: DESCRIBE_PRODUCERS,
    version: 0,
    name: 'DescribeProducers',
    flexible: true,
    encode: () => {
      const writer = new Writer().uvarint(2).compactString(topic)
      return [writer.uvarint(2).int32(partition).noTags().noTags().take()]
    },
    decode: (body) => {
      const reader = new Reader(body)
      reader.int32()
      const [partitions = []] = reader.compactArray(() => {
        reader.compactString()
        const answers = reader.compactArray(() => described(reader))
        reader.skipTags()
        return answers
      })
      return partitions[0] ?? { error: -1, producers: [] }
    }
  }
}

function described(reader: Reader): Described {
  reader.int32()
  const error = reader.int16()
  reader.compactString()
  const producers = reader.compactArray(() => {
    const holder = { producerId: reader.int64(), producerEpoch: reader.int32() }
    reader.int32()
    const lastTimestamp = reader.int64()
    reader.int32()
    const active = { ...holder, lastTimestamp, transactionStart: reader.int64() }
    reader.skipTags()
    return active
  })
  reader.skipTags()
  return { error, producers }
}
