import type { RawRequest } from './raw-client.ts'
import { type At, errorOfPartition, onlyPartition, type Producer } from './requests.ts'

/** What operators ask (KIP-664), and a broker's own settings. */

export interface ActiveProducer extends Producer {
  readonly lastSequence: number
  readonly coordinatorEpoch: number
  /** The first offset of its open transaction; -1 for none. */
  readonly transactionStart: number
}

/** DescribeProducers, version 0. */
export function describeProducers({ topic, partition }: At): RawRequest<readonly ActiveProducer[]> {
  return {
    key: 61,
    version: 0,
    flexible: true,
    encode: (writer) => {
      writer.structs([topic], (_, name) => {
        writer.string(name).array([partition], (_, one) => writer.int32(one))
      })
    },
    decode: (reader) => {
      reader.int32()
      const topics = reader.structs(() => {
        reader.string()
        return reader.structs(() => {
          reader.int32()
          reader.int16()
          reader.nullableString()
          return reader.structs(() => {
            const producer = { producerId: reader.int64(), producerEpoch: reader.int32() }
            const lastSequence = reader.int32()
            reader.int64() // The last timestamp.
            return {
              ...producer,
              lastSequence,
              coordinatorEpoch: reader.int32(),
              transactionStart: reader.int64()
            }
          })
        })
      })
      return onlyPartition(topics)
    }
  }
}

/** DescribeTransactions, version 0, of one id: its error and its state. */
export function describeTransaction(id: string): RawRequest<{ error: number; state: string }> {
  return {
    key: 65,
    version: 0,
    flexible: true,
    encode: (writer) => {
      writer.array([id], (_, one) => writer.string(one))
    },
    decode: (reader) => {
      reader.int32()
      const [found] = reader.structs(() => {
        const error = reader.int16()
        reader.string()
        const state = reader.string()
        reader.int32()
        reader.int64()
        reader.int64()
        reader.int16()
        reader.structs(() => [reader.string(), reader.array(() => reader.int32())])
        return { error, state }
      })
      if (!found) throw new Error('no transaction in the answer')
      return found
    }
  }
}

/** WriteTxnMarkers, version 1, for one partition: its error. */
export function writeMarker(
  { topic, partition }: At,
  { producerId, producerEpoch }: Producer,
  committed: boolean,
  coordinatorEpoch = 0
): RawRequest<number> {
  return {
    key: 27,
    version: 1,
    flexible: true,
    encode: (writer) => {
      writer.structs([topic], (_, name) => {
        writer.int64(producerId).int16(producerEpoch).boolean(committed)
        writer.structs([name], () => {
          writer.string(name).array([partition], (_, one) => writer.int32(one))
        })
        writer.int32(coordinatorEpoch)
      })
    },
    decode: (reader) => {
      const [error] = reader.structs(() => {
        reader.int64()
        return errorOfPartition(reader)
      })
      return error ?? -1
    }
  }
}

/** IncrementalAlterConfigs, version 0: a setting of all brokers, or its default again. */
export function configureBrokers(name: string, value: string | null): RawRequest<number> {
  return {
    key: 44,
    version: 0,
    encode: (writer) => {
      writer.structs([name], () => {
        writer.int8(4).string('')
        writer.structs([name], () => {
          writer
            .string(name)
            .int8(value === null ? 1 : 0)
            .string(value)
        })
      })
      writer.boolean(false)
    },
    decode: (reader) => {
      reader.int32()
      return (
        reader.structs(() => {
          const error = reader.int16()
          reader.nullableString()
          reader.int8()
          reader.string()
          return error
        })[0] ?? -1
      )
    }
  }
}
