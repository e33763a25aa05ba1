import { type Api, defineApi, mapPartitions, type Services, type TopicOf, writeTopics } from '../api.ts'
import { attempt, codeOf, codes, KafkaError } from '../errors.ts'
import type { ProducerDescription } from '../producers.ts'
import type { Transaction, TransactionState } from '../transactions.ts'
import { ledHere } from './leading.ts'

/** What operators see of transactions, and how they end one that hangs (KIP-664). */

interface Producers {
  readonly partition: number
  readonly error: number
  readonly producers: readonly ProducerDescription[]
}

/** DescribeProducers (key 61): who has written into a partition, and since where in a transaction. */
export function describeProducersApi(services: Services): Api {
  return defineApi<readonly TopicOf<number>[], readonly TopicOf<Producers>[]>({
    key: 61,
    name: 'DescribeProducers',
    versions: [0, 0],
    flexibleFrom: 0,
    decode: (reader) =>
      reader.structs(() => ({ topic: reader.string(), partitions: reader.array(() => reader.int32()) })),
    subject: (request) =>
      request.flatMap(({ topic, partitions }) => partitions.map((one) => `${topic}-${one}`)).join(' '),
    handle: (request) =>
      mapPartitions(request, (partition, topic) => {
        try {
          const producers = ledHere(services, topic, partition).producers.describe()
          return { partition, error: codes.NONE, producers }
        } catch (error) {
          return { partition, error: codeOf(error), producers: [] }
        }
      }),
    refuse: (request, error) => mapPartitions(request, (partition) => ({ partition, error, producers: [] })),
    encode: (writer, answers) => {
      writer.int32(0)
      writeTopics(writer, answers, (_, { partition, error, producers }) => {
        writer.int32(partition).int16(error).string(null)
        writer.structs(producers, (_, one) => {
          writer.int64(one.producerId).int32(one.producerEpoch).int32(one.lastSequence)
          writer.int64(one.lastTimestamp).int32(one.coordinatorEpoch).int64(one.transactionStart)
        })
      })
    }
  })
}

interface Described {
  readonly error: number
  readonly id: string
  readonly transaction: Transaction | undefined
}

/** DescribeTransactions (key 65): what the coordinator knows of transactional ids. */
export function describeTransactionsApi({ cluster, node, transactions }: Services): Api {
  return defineApi<readonly string[], readonly Described[]>({
    key: 65,
    name: 'DescribeTransactions',
    versions: [0, 0],
    flexibleFrom: 0,
    decode: (reader) => reader.array(() => reader.string()),
    subject: (ids) => ids.join(' '),
    handle: (ids) =>
      ids.map((id) => {
        if (!cluster.isCoordinator(node.id, { kind: 'transaction', key: id })) {
          return { id, transaction: undefined, error: codes.NOT_COORDINATOR }
        }
        const transaction = transactions.get(id)
        return { id, transaction, error: transaction ? codes.NONE : codes.TRANSACTIONAL_ID_NOT_FOUND }
      }),
    refuse: (ids, error) => ids.map((id) => ({ error, id, transaction: undefined })),
    encode: (writer, answers) => {
      writer.int32(0).structs(answers, (_, { error, id, transaction }) => {
        writer
          .int16(error)
          .string(id)
          .string(transaction?.state ?? '')
        writer.int32(transaction?.timeoutMs ?? 0).int64(transaction?.startedAt ?? 0)
        writer.int64(transaction?.producerId ?? 0).int16(transaction?.producerEpoch ?? 0)
        const byTopic = Map.groupBy(transaction?.partitions ?? [], ({ topic }) => topic)
        writer.structs([...byTopic], (_, [topic, partitions]) => {
          writer.string(topic).array(partitions, (_, { partition }) => writer.int32(partition))
        })
      })
    }
  })
}

interface Filter {
  readonly states: readonly string[]
  readonly producerIds: readonly number[]
  /** Only those that began longer ago; -1 for all. */
  readonly durationMs: number
}

interface Listed {
  readonly error: number
  readonly unknownStates: readonly string[]
  readonly transactions: readonly Transaction[]
}

/** The names of the protocol; the last two are states that this coordinator never is in. */
const STATES: readonly (TransactionState | 'Dead' | 'PrepareEpochFence')[] = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence'
]

/** ListTransactions (key 66). */
export function listTransactionsApi({ cluster, node, transactions, now }: Services): Api {
  return defineApi<Filter, Listed>({
    key: 66,
    name: 'ListTransactions',
    versions: [0, 1],
    flexibleFrom: 0,
    decode: (reader, version) => ({
      states: reader.array(() => reader.string()),
      producerIds: reader.array(() => reader.int64()),
      durationMs: version >= 1 ? reader.int64() : -1
    }),
    subject: () => '',
    handle: ({ states, producerIds, durationMs }) => ({
      error: codes.NONE,
      unknownStates: states.filter((one) => !STATES.some((state) => state === one)),
      transactions: transactions.all().filter(({ id, state, producerId, startedAt }) => {
        if (!cluster.isCoordinator(node.id, { kind: 'transaction', key: id })) return false
        const isLong = durationMs < 0 || now() - startedAt > durationMs
        const isWanted = states.length === 0 || states.includes(state)
        return isLong && isWanted && (producerIds.length === 0 || producerIds.includes(producerId))
      })
    }),
    refuse: (_, error) => ({ error, unknownStates: [], transactions: [] }),
    encode: (writer, { error, unknownStates, transactions }) => {
      writer
        .int32(0)
        .int16(error)
        .array(unknownStates, (_, state) => writer.string(state))
      writer.structs(transactions, (_, { id, producerId, state }) => {
        writer.string(id).int64(producerId).string(state)
      })
    }
  })
}

interface Marker {
  readonly producerId: number
  readonly producerEpoch: number
  readonly committed: boolean
  readonly coordinatorEpoch: number
  readonly topics: readonly TopicOf<number>[]
}

interface Marked {
  readonly producerId: number
  readonly topics: readonly TopicOf<{ readonly partition: number; readonly error: number }>[]
}

/**
 * WriteTxnMarkers (key 27): ends a producer's transaction in a partition without its coordinator, which is how an
 * operator gets rid of one that hangs. Groups' offsets are not reached this way.
 */
export function writeTxnMarkersApi(services: Services): Api {
  const mark = (marker: Marker, topic: string, partition: number) => {
    const { producerId, producerEpoch, coordinatorEpoch, committed } = marker
    const log = ledHere(services, topic, partition)
    const known = log.producers.describe().find((one) => one.producerId === producerId)
    if (known && producerEpoch < known.producerEpoch) {
      throw new KafkaError(codes.INVALID_PRODUCER_EPOCH, `epoch ${producerEpoch} is over`)
    }
    if (known && coordinatorEpoch < known.coordinatorEpoch) {
      throw new KafkaError(
        codes.TRANSACTION_COORDINATOR_FENCED,
        `coordinator epoch ${coordinatorEpoch} is over`
      )
    }
    log.appendMarker({ producerId, producerEpoch, committed, coordinatorEpoch, timestamp: services.now() })
  }
  return defineApi<readonly Marker[], readonly Marked[]>({
    key: 27,
    name: 'WriteTxnMarkers',
    versions: [1, 1],
    flexibleFrom: 1,
    decode: (reader) =>
      reader.structs(() => ({
        producerId: reader.int64(),
        producerEpoch: reader.int16(),
        committed: reader.boolean(),
        topics: reader.structs(() => ({
          topic: reader.string(),
          partitions: reader.array(() => reader.int32())
        })),
        coordinatorEpoch: reader.int32()
      })),
    subject: (markers) => markers.map(({ producerId }) => producerId).join(' '),
    handle: (markers) =>
      markers.map((marker) => ({
        producerId: marker.producerId,
        topics: mapPartitions(marker.topics, (partition, topic) => ({
          partition,
          error: attempt(() => mark(marker, topic, partition))
        }))
      })),
    refuse: (markers, error) =>
      markers.map(({ producerId, topics }) => ({
        producerId,
        topics: mapPartitions(topics, (partition) => ({ partition, error }))
      })),
    encode: (writer, answers) => {
      writer.structs(answers, (_, { producerId, topics }) => {
        writer.int64(producerId)
        writeTopics(writer, topics, (_, { partition, error }) => {
          writer.int32(partition).int16(error)
        })
      })
    }
  })
}
