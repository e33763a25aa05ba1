import type { RawRequest } from './raw-client.ts'
import { type At, errorOfPartition, type Producer, writePartition } from './requests.ts'

/** Requests to the transaction coordinator, in the versions before `PRODUCER_FENCED` unless told otherwise. */

/** FindCoordinator, version 2: its error, 0 once the coordinator is there. */
export function findCoordinator(type: 'group' | 'transaction', key: string): RawRequest<number> {
  return {
    key: 10,
    version: 2,
    encode: (writer) => {
      writer.string(key).int8(type === 'group' ? 0 : 1)
    },
    decode: (reader) => {
      reader.int32()
      return reader.int16()
    }
  }
}

export function initProducerId(
  id: string | null,
  timeoutMs = 10_000
): RawRequest<Producer & { error: number }> {
  return {
    key: 22,
    version: 1,
    encode: (writer) => {
      writer.string(id).int32(timeoutMs)
    },
    decode: (reader) => {
      reader.int32()
      return { error: reader.int16(), producerId: reader.int64(), producerEpoch: reader.int16() }
    }
  }
}

/** AddPartitionsToTxn: the error of each partition. Version 2 knows `PRODUCER_FENCED`. */
export function addPartitions(
  id: string,
  producer: Producer,
  partitions: readonly At[],
  version: 1 | 2 = 1
): RawRequest<number[]> {
  return {
    key: 24,
    version,
    encode: (writer) => {
      writer.string(id).int64(producer.producerId).int16(producer.producerEpoch)
      writer.structs(partitions, (_, { topic, partition }) => {
        writer.string(topic).array([partition], (_, one) => writer.int32(one))
      })
    },
    decode: (reader) => {
      reader.int32()
      const topics = reader.structs(() => {
        const topic = reader.string()
        const [answer] = reader.structs(() => ({ partition: reader.int32(), error: reader.int16() }))
        return { topic, partition: answer?.partition, error: answer?.error ?? -1 }
      })
      // Kafka answers in an order of its own.
      return partitions.map(
        ({ topic, partition }) =>
          topics.find((one) => one.topic === topic && one.partition === partition)?.error ?? -1
      )
    }
  }
}

export function endTxn(
  id: string,
  producer: Producer,
  committed: boolean,
  version: 1 | 2 = 1
): RawRequest<number> {
  return {
    key: 26,
    version,
    encode: (writer) => {
      writer.string(id).int64(producer.producerId).int16(producer.producerEpoch).boolean(committed)
    },
    decode: (reader) => {
      reader.int32()
      return reader.int16()
    }
  }
}

export function addOffsets(id: string, producer: Producer, group: string): RawRequest<number> {
  return {
    key: 25,
    version: 1,
    encode: (writer) => {
      writer.string(id).int64(producer.producerId).int16(producer.producerEpoch).string(group)
    },
    decode: (reader) => {
      reader.int32()
      return reader.int16()
    }
  }
}

export function txnOffsetCommit(
  id: string,
  producer: Producer,
  group: string,
  at: At,
  offset: number
): RawRequest<number> {
  return {
    key: 28,
    version: 1,
    encode: (writer) => {
      writer.string(id).string(group).int64(producer.producerId).int16(producer.producerEpoch)
      writePartition(writer, at, () => writer.int64(offset).string(''))
    },
    decode: (reader) => {
      reader.int32()
      return errorOfPartition(reader)
    }
  }
}
