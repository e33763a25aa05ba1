import {
  type Api,
  type Caller,
  defineApi,
  mapPartitions,
  readTopics,
  type Services,
  subjectOf,
  type TopicOf,
  writeTopics
} from '../api.ts'
import { codeOf, codes, KafkaError, type RecordError } from '../errors.ts'
import type { PartitionLog } from '../log.ts'
import type { TopicConfig } from '../topic-config.ts'
import { readOnlyBatch, validate } from '../validate.ts'
import { ledHere } from './leading.ts'

interface PartitionData {
  readonly partition: number
  readonly records: Buffer
}

interface ProduceRequest {
  readonly transactionalId: string | null
  readonly acks: number
  readonly topics: readonly TopicOf<PartitionData>[]
}

interface PartitionAnswer {
  readonly partition: number
  readonly error: number
  readonly message: string | null
  readonly recordErrors: readonly RecordError[]
  readonly baseOffset: number
  readonly appendTime: number
  readonly startOffset: number
}

/** Produce (key 0). An append is atomic per partition; the partitions of a request succeed or fail each by itself. */
export function produceApi(services: Services): Api {
  return defineApi<ProduceRequest, TopicOf<PartitionAnswer>[]>({
    key: 0,
    name: 'Produce',
    versions: [3, 9],
    flexibleFrom: 9,
    decode: (reader) => {
      const transactionalId = reader.nullableString()
      const acks = reader.int16()
      reader.int32() // Timeout: with one replica there is nobody to wait for.
      const topics = readTopics(reader, () => ({ partition: reader.int32(), records: reader.bytes() }))
      return { transactionalId, acks, topics }
    },
    subject: ({ topics }) => subjectOf(topics),
    isSilent: ({ acks }) => acks === 0,
    handle: (request, caller) =>
      mapPartitions(request.topics, (data, topic) => {
        try {
          return append(services, request, topic, data, caller)
        } catch (error) {
          // Without an answer, closing the connection is the only sign that Kafka can give.
          if (request.acks === 0) throw error
          const message = error instanceof Error ? error.message : null
          const recordErrors = error instanceof KafkaError ? error.records : []
          return { ...failed(data.partition, codeOf(error), message), recordErrors }
        }
      }),
    refuse: ({ topics }, code) => mapPartitions(topics, ({ partition }) => failed(partition, code, null)),
    encode: (writer, topics, version) => {
      writeTopics(writer, topics, (_, answer) => {
        writer.int32(answer.partition).int16(answer.error).int64(answer.baseOffset).int64(answer.appendTime)
        if (version >= 5) writer.int64(answer.startOffset)
        if (version >= 8) {
          writer.structs(answer.recordErrors, (_, { index, message }) => {
            writer.int32(index).string(message)
          })
          writer.string(answer.message)
        }
      })
      writer.int32(0)
    }
  })
}

function append(
  services: Services,
  { transactionalId, acks }: ProduceRequest,
  topicName: string,
  { partition, records }: PartitionData,
  { version }: Caller
): PartitionAnswer {
  const { brokerConfig, topics, transactions, now } = services
  if (acks < -1 || acks > 1) throw new KafkaError(codes.INVALID_REQUIRED_ACKS, `acks ${acks} is not known`)
  const log = ledHere(services, topicName, partition)
  const refusal = services.refusal(`Append ${topicName}-${partition}`)
  if (refusal !== codes.NONE) throw new KafkaError(refusal, 'refused by a fault rule')
  const { config } = topics.get(topicName) ?? {}
  if (!config) throw new KafkaError(codes.UNKNOWN_TOPIC_OR_PARTITION, topicName)
  if (acks === -1) checkInSync(services, log, config)
  const time = now()
  const header = readOnlyBatch(records, version)
  if (header.transactional) {
    if (transactionalId === null) {
      throw new KafkaError(codes.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 'a transactional batch without an id')
    }
    const isOpen = log.producers.isOngoing(header.producerId, header.producerEpoch)
    if (!isOpen && brokerConfig.verifiesTransactions) {
      log.producers.start(header)
      verify(() => transactions.verify(transactionalId, header, { topic: topicName, partition }))
    }
  }
  validate(records, header, config, time)
  const { baseOffset, appendTime } = log.append(records, header, config.logAppendTime ? time : undefined)
  const { startOffset } = log
  return {
    ...{ partition, error: codes.NONE, message: null, recordErrors: [] },
    ...{ baseOffset, appendTime, startOffset }
  }
}

/** Replicas are in sync as long as their nodes are up. */
function checkInSync({ cluster }: Services, { leadership }: PartitionLog, { minInSync }: TopicConfig): void {
  const inSync = leadership.replicas.filter((id) => cluster.isAlive(id)).length
  if (inSync >= Math.min(minInSync, leadership.replicas.length)) return
  throw new KafkaError(codes.NOT_ENOUGH_REPLICAS, `only ${inSync} replicas are in sync`)
}

/** Producers know a fenced epoch as `INVALID_PRODUCER_EPOCH` in this API, whatever its version. */
function verify(check: () => void): void {
  try {
    check()
  } catch (error) {
    if (!(error instanceof KafkaError) || error.code !== codes.PRODUCER_FENCED) throw error
    throw new KafkaError(codes.INVALID_PRODUCER_EPOCH, error.message)
  }
}

function failed(partition: number, error: number, message: string | null): PartitionAnswer {
  return { partition, error, message, recordErrors: [], baseOffset: -1, appendTime: -1, startOffset: -1 }
}
