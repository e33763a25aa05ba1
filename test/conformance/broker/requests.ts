import type { Reader, Writer } from '../../../src/embedded/broker/wire.ts'
import { encodeBatch, type Record } from '../../../src/records/record.ts'
import type { RawRequest } from './raw-client.ts'

/** Requests for one topic-partition each, as the conformance suite needs them. */

export interface At {
  readonly topic: string
  readonly partition: number
}

export interface Producer {
  readonly producerId: number
  readonly producerEpoch: number
}

export function createTopic(
  name: string,
  partitions: number,
  config: Readonly<{ [name: string]: string }> = {}
): RawRequest<number> {
  return {
    key: 19,
    version: 2,
    encode: (writer) => {
      writer.structs([name], (_, one) => {
        writer.string(one).int32(partitions).int16(1).structs([], none)
        writer.structs(Object.entries(config), (_, [key, value]) => {
          writer.string(key).string(value)
        })
      })
      writer.int32(10_000).boolean(false)
    },
    decode: (reader) => {
      reader.int32()
      return reader.structs(() => ({ name: reader.string(), error: reader.int16() }))[0]?.error ?? -1
    }
  }
}

export function deleteTopic(name: string): RawRequest<number> {
  return {
    key: 20,
    version: 1,
    encode: (writer) => {
      writer.array([name], (_, one) => writer.string(one)).int32(10_000)
    },
    decode: (reader) => {
      reader.int32()
      return reader.structs(() => ({ name: reader.string(), error: reader.int16() }))[0]?.error ?? -1
    }
  }
}

export interface TopicMetadata {
  readonly error: number
  readonly name: string | null
  readonly id: string
  readonly partitions: readonly {
    readonly partition: number
    readonly leader: number
    readonly leaderEpoch: number
  }[]
}

/** Metadata version 12, by name or by id. */
export function metadata(name: string | null, id = ''): RawRequest<TopicMetadata> {
  return {
    key: 3,
    version: 12,
    flexible: true,
    encode: (writer) => {
      writer.structs([0], () => {
        writer.uuid(id).string(name)
      })
      writer.boolean(false).boolean(false)
    },
    decode: (reader) => {
      reader.int32()
      reader.structs(() => [reader.int32(), reader.string(), reader.int32(), reader.nullableString()])
      reader.nullableString()
      reader.int32()
      const topics = reader.structs(() => {
        const topic = { error: reader.int16(), name: reader.nullableString(), id: reader.uuid() }
        reader.boolean()
        const partitions = reader.structs(() => {
          reader.int16()
          const one = { partition: reader.int32(), leader: reader.int32(), leaderEpoch: reader.int32() }
          for (let lists = 0; lists < 3; lists++) reader.array(() => reader.int32())
          return one
        })
        reader.int32()
        return { ...topic, partitions }
      })
      const [topic] = topics
      if (!topic) throw new Error('no topic in the answer')
      return topic
    }
  }
}

export interface Produced {
  readonly error: number
  readonly baseOffset: number
  readonly appendTime: number
}

export function produce(
  at: At,
  records: Buffer,
  transactionalId: string | null = null
): RawRequest<Produced> {
  return {
    key: 0,
    version: 7,
    encode: produced(at, records, transactionalId),
    decode: (reader) =>
      onlyPartition(
        reader.structs(() => {
          reader.string()
          return reader.structs(() => {
            reader.int32()
            const answer = { error: reader.int16(), baseOffset: reader.int64(), appendTime: reader.int64() }
            reader.int64()
            return answer
          })
        })
      )
  }
}

/** The places in the batch that Produce version 8 names (KIP-467). */
export interface Blamed {
  readonly error: number
  readonly blamed: readonly number[]
}

export function produceBlaming(at: At, records: Buffer): RawRequest<Blamed> {
  return {
    key: 0,
    version: 8,
    encode: produced(at, records, null),
    decode: (reader) =>
      onlyPartition(
        reader.structs(() => {
          reader.string()
          return reader.structs(() => {
            reader.int32()
            const error = reader.int16()
            for (let numbers = 0; numbers < 3; numbers++) reader.int64()
            const blamed = reader.structs(() => [reader.int32(), reader.nullableString()] as const)
            reader.nullableString()
            return { error, blamed: blamed.map(([index]) => index) }
          })
        })
      )
  }
}

function produced(at: At, records: Buffer, transactionalId: string | null) {
  return (writer: Writer) => {
    writer.string(transactionalId).int16(-1).int32(10_000)
    writePartition(writer, at, () => writer.bytes(records))
  }
}

export interface Fetched {
  readonly error: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly startOffset: number
  readonly aborted: readonly { readonly producerId: number; readonly firstOffset: number }[] | null
  readonly records: Buffer
}

export interface FetchOptions {
  readonly offset: number
  readonly committed?: boolean
  readonly maxBytes?: number
  readonly minBytes?: number
  readonly maxWaitMs?: number
  readonly leaderEpoch?: number
  /** Of the whole answer. */
  readonly responseBytes?: number
}

export function fetch(at: At, options: FetchOptions): RawRequest<Fetched> {
  const request = fetchInSession({ id: 0, epoch: -1 }, [{ ...at, ...options }], options)
  return { ...request, decode: (reader) => onlyPartition([request.decode(reader).partitions]) }
}

export interface SessionFetched {
  readonly error: number
  readonly sessionId: number
  readonly partitions: readonly (At & Fetched)[]
}

/** Fetch version 11 within a session (KIP-227); id 0 and epoch -1 are none, epoch 0 asks for a new one. */
export function fetchInSession(
  session: { readonly id: number; readonly epoch: number },
  wanted: readonly (At & {
    readonly offset: number
    readonly maxBytes?: number
    readonly leaderEpoch?: number
  })[],
  options: Omit<FetchOptions, 'offset'> & { readonly forgotten?: readonly At[] } = {}
): RawRequest<SessionFetched> {
  const { committed = false, minBytes = 0, maxWaitMs = 0, responseBytes = 50 << 20, forgotten = [] } = options
  return {
    key: 1,
    version: 11,
    encode: (writer) => {
      writer
        .int32(-1)
        .int32(maxWaitMs)
        .int32(minBytes)
        .int32(responseBytes)
        .int8(committed ? 1 : 0)
      writer.int32(session.id).int32(session.epoch)
      writer.structs(wanted, (_, { topic, partition, offset, leaderEpoch = -1, maxBytes = 1 << 20 }) => {
        writer.string(topic).structs([partition], () => {
          writer.int32(partition).int32(leaderEpoch).int64(offset).int64(-1).int32(maxBytes)
        })
      })
      writer.structs(forgotten, (_, { topic, partition }) => {
        writer.string(topic).array([partition], () => writer.int32(partition))
      })
      writer.string('')
    },
    decode: (reader) => {
      reader.int32()
      const error = reader.int16()
      const sessionId = reader.int32()
      const topics = reader.structs(() => {
        const topic = reader.string()
        return reader.structs(() => ({ topic, partition: reader.int32(), ...fetched(reader) }))
      })
      return { error, sessionId, partitions: topics.flat() }
    }
  }
}

function fetched(reader: Reader): Fetched {
  const error = reader.int16()
  const highWatermark = reader.int64()
  const lastStableOffset = reader.int64()
  const startOffset = reader.int64()
  const aborted = reader.nullableStructs(() => ({ producerId: reader.int64(), firstOffset: reader.int64() }))
  reader.int32()
  return { error, highWatermark, lastStableOffset, startOffset, aborted, records: reader.bytes() }
}

export interface Offset {
  readonly error: number
  readonly timestamp: number
  readonly offset: number
}

export function listOffset(at: At, timestamp: number, committed = false): RawRequest<Offset> {
  return {
    key: 2,
    version: 3,
    encode: (writer) => {
      writer.int32(-1).int8(committed ? 1 : 0)
      writePartition(writer, at, () => writer.int64(timestamp))
    },
    decode: (reader) => {
      reader.int32()
      return onlyPartition(
        reader.structs(() => {
          reader.string()
          return reader.structs(() => {
            reader.int32()
            return { error: reader.int16(), timestamp: reader.int64(), offset: reader.int64() }
          })
        })
      )
    }
  }
}

export function endOfEpoch(
  at: At,
  epoch: number
): RawRequest<{ error: number; epoch: number; endOffset: number }> {
  return {
    key: 23,
    version: 3,
    encode: (writer) => {
      writer.int32(-1)
      writePartition(writer, at, () => writer.int32(-1).int32(epoch))
    },
    decode: (reader) => {
      reader.int32()
      return onlyPartition(
        reader.structs(() => {
          reader.string()
          return reader.structs(() => {
            const error = reader.int16()
            reader.int32()
            return { error, epoch: reader.int32(), endOffset: reader.int64() }
          })
        })
      )
    }
  }
}

export function deleteRecords(at: At, offset: number): RawRequest<{ startOffset: number; error: number }> {
  return {
    key: 21,
    version: 0,
    encode: (writer) => {
      writePartition(writer, at, () => writer.int64(offset))
      writer.int32(10_000)
    },
    decode: (reader) => {
      reader.int32()
      return onlyPartition(
        reader.structs(() => {
          reader.string()
          return reader.structs(() => {
            reader.int32()
            return { startOffset: reader.int64(), error: reader.int16() }
          })
        })
      )
    }
  }
}

/** The batch of records `v0`, `v1`, … with the given producer and sequence. */
export function batch(
  count: number,
  producer?: Producer & { readonly sequence: number; readonly transactional?: boolean },
  timestamp = Date.now()
): Buffer {
  const records = Array.from(
    { length: count },
    (_, index): Record => ({
      key: Buffer.from(`k${index}`),
      value: Buffer.from(`v${index}`),
      headers: [],
      timestamp: timestamp + index
    })
  )
  if (!producer) return encodeBatch(records, { codec: 0 })
  const { producerId, producerEpoch, sequence, transactional = false } = producer
  return encodeBatch(records, { codec: 0, producerId, producerEpoch, baseSequence: sequence, transactional })
}

export function writePartition(writer: Writer, { topic, partition }: At, rest: () => void): void {
  writer.structs([topic], (_, name) => {
    writer.string(name).structs([partition], (_, one) => {
      writer.int32(one)
      rest()
    })
  })
}

/** The error of the one partition in an answer of topics with partition and error. */
export function errorOfPartition(reader: Reader): number {
  return onlyPartition(
    reader.structs(() => {
      reader.string()
      return reader.structs(() => {
        reader.int32()
        return { error: reader.int16() }
      })
    })
  ).error
}

export function onlyPartition<T>(topics: readonly (readonly T[])[]): T {
  const [partition] = topics.flat()
  if (partition === undefined) throw new Error('no partition in the answer')
  return partition
}

export function none(): void {}
