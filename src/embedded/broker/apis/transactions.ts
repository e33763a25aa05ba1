import {
  type Api,
  defineApi,
  mapPartitions,
  ofGroup,
  ofTransaction,
  readTopics,
  type Services,
  type TopicOf,
  writeTopics
} from '../api.ts'
import { attempt, codeOf, codes } from '../errors.ts'
import type { OffsetCommit } from '../offsets.ts'
import type { ProducerIdentity } from '../transactions.ts'
import type { Reader } from '../wire.ts'

/**
 * The transaction coordinator's APIs. Where the codec of a version below KIP-588 is used, `PRODUCER_FENCED` is told as
 * `INVALID_PRODUCER_EPOCH`, as Kafka does for those versions.
 */

interface InitRequest {
  readonly id: string | null
  readonly timeoutMs: number
  readonly expected: ProducerIdentity | undefined
}

interface InitResponse extends ProducerIdentity {
  readonly error: number
}

/** InitProducerId (key 22). */
export function initProducerIdApi({ transactions }: Services): Api {
  return defineApi<InitRequest, InitResponse>({
    key: 22,
    name: 'InitProducerId',
    versions: [0, 4],
    flexibleFrom: 2,
    decode: (reader, version) => {
      const id = reader.nullableString()
      const timeoutMs = reader.int32()
      const expected = version >= 3 ? identity(reader) : undefined
      return { id, timeoutMs, expected: expected && expected.producerId >= 0 ? expected : undefined }
    },
    subject: ({ id }) => id ?? '',
    duty: ({ id }) => ofTransaction(id),
    handle: ({ id, timeoutMs, expected }, { version }) => {
      try {
        const { producerId, producerEpoch } = transactions.init(id, timeoutMs, expected)
        return { error: codes.NONE, producerId, producerEpoch }
      } catch (error) {
        return { error: outcome(codeOf(error), version >= 4), producerId: -1, producerEpoch: -1 }
      }
    },
    refuse: (_, error) => ({ error, producerId: -1, producerEpoch: -1 }),
    encode: (writer, { error, producerId, producerEpoch }) => {
      writer.int32(0).int16(error).int64(producerId).int16(producerEpoch)
    }
  })
}

interface AddPartitionsRequest extends ProducerIdentity {
  readonly id: string
  readonly topics: readonly TopicOf<number>[]
}

interface PartitionError {
  readonly partition: number
  readonly error: number
}

/** AddPartitionsToTxn (key 24). One partition that does not exist keeps all others out (`OPERATION_NOT_ATTEMPTED`). */
export function addPartitionsApi({ topics, transactions }: Services): Api {
  return defineApi<AddPartitionsRequest, TopicOf<PartitionError>[]>({
    key: 24,
    name: 'AddPartitionsToTxn',
    versions: [0, 3],
    flexibleFrom: 3,
    decode: (reader) => {
      const id = reader.string()
      const producer = identity(reader)
      const wanted = reader.structs(() => ({
        topic: reader.string(),
        partitions: reader.array(() => reader.int32())
      }))
      return { id, ...producer, topics: wanted }
    },
    subject: ({ id }) => id,
    duty: ({ id }) => ofTransaction(id),
    handle: (request, { version }) => {
      const exists = (topic: string, partition: number) =>
        topics.get(topic)?.partitions[partition] !== undefined
      const partitions = request.topics.flatMap((one) =>
        one.partitions.map((partition) => ({ topic: one.topic, partition }))
      )
      if (partitions.every(({ topic, partition }) => exists(topic, partition))) {
        const code = attempt(() => transactions.addPartitions(request.id, request, partitions))
        return everywhere(request.topics, outcome(code, version >= 2))
      }
      return mapPartitions(request.topics, (partition, topic) => {
        const missing = !exists(topic, partition)
        return {
          partition,
          error: missing ? codes.UNKNOWN_TOPIC_OR_PARTITION : codes.OPERATION_NOT_ATTEMPTED
        }
      })
    },
    refuse: (request, code) => everywhere(request.topics, code),
    encode: (writer, answers) => {
      writer.int32(0)
      writeTopics(writer, answers, (_, { partition, error }) => {
        writer.int32(partition).int16(error)
      })
    }
  })
}

interface GroupRequest extends ProducerIdentity {
  readonly id: string
  readonly group: string
}

/** AddOffsetsToTxn (key 25). */
export function addOffsetsApi({ transactions }: Services): Api {
  return defineApi<GroupRequest, number>({
    key: 25,
    name: 'AddOffsetsToTxn',
    versions: [0, 3],
    flexibleFrom: 3,
    decode: (reader) => ({ id: reader.string(), ...identity(reader), group: reader.string() }),
    subject: ({ id }) => id,
    duty: ({ id }) => ofTransaction(id),
    handle: (request, { version }) =>
      outcome(
        attempt(() => transactions.addGroup(request.id, request, request.group)),
        version >= 2
      ),
    refuse: (_, code) => code,
    encode: (writer, error) => {
      writer.int32(0).int16(error)
    }
  })
}

interface EndRequest extends ProducerIdentity {
  readonly id: string
  readonly committed: boolean
}

/** EndTxn (key 26): answered once the decision is durable, before the markers are written. */
export function endTxnApi({ transactions }: Services): Api {
  return defineApi<EndRequest, number>({
    key: 26,
    name: 'EndTxn',
    versions: [0, 3],
    flexibleFrom: 3,
    decode: (reader) => ({ id: reader.string(), ...identity(reader), committed: reader.boolean() }),
    subject: ({ id }) => id,
    duty: ({ id }) => ofTransaction(id),
    handle: (request, { version }) =>
      outcome(
        attempt(() => transactions.end(request.id, request, request.committed)),
        version >= 2
      ),
    refuse: (_, code) => code,
    encode: (writer, error) => {
      writer.int32(0).int16(error)
    }
  })
}

interface TxnCommitRequest extends GroupRequest {
  readonly generation: number
  readonly memberId: string
  readonly instanceId: string | null
  readonly topics: readonly TopicOf<Omit<OffsetCommit, 'topic'>>[]
}

/** TxnOffsetCommit (key 28). Before version 3 it carries no generation, so anyone may commit (KIP-447). */
export function txnOffsetCommitApi({ transactions, offsets, groups, topics }: Services): Api {
  return defineApi<TxnCommitRequest, TopicOf<PartitionError>[]>({
    key: 28,
    name: 'TxnOffsetCommit',
    versions: [0, 3],
    flexibleFrom: 3,
    decode: (reader, version) => {
      const id = reader.string()
      const group = reader.string()
      const producer = identity(reader)
      const generation = version >= 3 ? reader.int32() : -1
      const memberId = version >= 3 ? reader.string() : ''
      const instanceId = version >= 3 ? reader.nullableString() : null
      const wanted = readTopics(reader, () => {
        const partition = reader.int32()
        const offset = reader.int64()
        const leaderEpoch = version >= 2 ? reader.int32() : -1
        return { partition, offset, leaderEpoch, metadata: reader.string() }
      })
      return { id, group, ...producer, generation, memberId, instanceId, topics: wanted }
    },
    subject: ({ id, group }) => `${id} ${group}`,
    duty: ({ group }) => ofGroup(group),
    handle: (request) => {
      const { id, group, generation, producerId } = request
      const error = attempt(() => {
        groups.checkCommit(group, generation, request, true)
        transactions.commitOffsets(id, request, group, () => {
          const commits = request.topics.flatMap(({ topic, partitions }) =>
            partitions.map((one) => ({ topic, ...one }))
          )
          const known = commits.filter(({ topic, partition }) => topics.get(topic)?.partitions[partition])
          offsets.commitInTransaction(producerId, group, known)
        })
      })
      return mapPartitions(request.topics, ({ partition }, topic) => {
        const exists = topics.get(topic)?.partitions[partition] !== undefined
        const missing = error === codes.NONE && !exists
        return { partition, error: missing ? codes.UNKNOWN_TOPIC_OR_PARTITION : outcome(error, false) }
      })
    },
    refuse: (request, error) => mapPartitions(request.topics, ({ partition }) => ({ partition, error })),
    encode: (writer, answers) => {
      writer.int32(0)
      writeTopics(writer, answers, (_, { partition, error }) => {
        writer.int32(partition).int16(error)
      })
    }
  })
}

function identity(reader: Reader): ProducerIdentity {
  return { producerId: reader.int64(), producerEpoch: reader.int16() }
}

function everywhere(topics: readonly TopicOf<number>[], error: number): TopicOf<PartitionError>[] {
  return mapPartitions(topics, (partition) => ({ partition, error }))
}

/** The code as this version of the API knows it. A coordinator whose disk fails is, to clients, not there. */
function outcome(code: number, knowsFenced: boolean): number {
  if (code === codes.PRODUCER_FENCED && !knowsFenced) return codes.INVALID_PRODUCER_EPOCH
  if (code === codes.KAFKA_STORAGE_ERROR) return codes.NOT_COORDINATOR
  return code
}
