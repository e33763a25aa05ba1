import type { Reader } from '../../../src/embedded/broker/wire.ts'
import { fetchOffset } from './group-requests.ts'
import type { RawRequest } from './raw-client.ts'
import { type At, errorOfPartition, none, onlyPartition, writePartition } from './requests.ts'

/** Requests about who leads a partition or coordinates a group, and those that change it. */

/** A topic with these replicas for its partitions 0, 1, …; the first of each is preferred to lead. */
export function createAssigned(name: string, replicas: readonly (readonly number[])[]): RawRequest<number> {
  return {
    key: 19,
    version: 2,
    encode: (writer) => {
      writer.structs([name], (_, one) => {
        writer.string(one).int32(-1).int16(-1)
        writer.structs([...replicas.entries()], (_, [partition, nodes]) => {
          writer.int32(partition).array(nodes, (_, node) => writer.int32(node))
        })
        writer.structs([], none)
      })
      writer.int32(10_000).boolean(false)
    },
    decode: (reader) => {
      reader.int32()
      return reader.structs(() => ({ name: reader.string(), error: reader.int16() }))[0]?.error ?? -1
    }
  }
}

export interface Led {
  readonly error: number
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
  readonly offline: readonly number[]
}

export interface ClusterView {
  /** Nodes that are up, in order. */
  readonly nodes: readonly number[]
  /** In the order of their numbers. */
  readonly partitions: readonly Led[]
}

/** Metadata, version 7. */
export function clusterView(topic: string): RawRequest<ClusterView> {
  return {
    key: 3,
    version: 7,
    encode: (writer) => {
      writer.array([topic], (_, name) => writer.string(name)).boolean(false)
    },
    decode: (reader) => {
      reader.int32()
      const nodes = reader.structs(() => {
        const id = reader.int32()
        reader.string()
        reader.int32()
        reader.nullableString()
        return id
      })
      reader.nullableString()
      reader.int32()
      const topics = reader.structs(() => {
        reader.int16()
        reader.string()
        reader.boolean()
        return reader.structs(() => {
          const error = reader.int16()
          const partition = reader.int32()
          const [leader, leaderEpoch] = [reader.int32(), reader.int32()]
          const ids = () => reader.array(() => reader.int32())
          const [replicas, inSync, offline] = [ids(), ids().sort(), ids()]
          return { partition, error, leader, leaderEpoch, replicas, inSync, offline }
        })
      })
      const partitions = topics.flat().sort((a, b) => a.partition - b.partition)
      return { nodes: nodes.sort(), partitions: partitions.map(({ partition, ...led }) => led) }
    }
  }
}

/** AlterPartitionReassignments; `null` cancels one. */
export function reassign(at: At, replicas: readonly number[] | null): RawRequest<number> {
  return {
    key: 45,
    version: 0,
    flexible: true,
    encode: (writer) => {
      writer.int32(10_000).structs([at], (_, { topic, partition }) => {
        writer.string(topic).structs([partition], (_, one) => {
          writer.int32(one).array(replicas, (_, node) => writer.int32(node))
        })
      })
    },
    decode: (reader) => {
      reader.int32()
      const error = reader.int16()
      reader.nullableString()
      return error === 0 ? onlyResult(reader) : error
    }
  }
}

/** ElectLeaders: the preferred one. */
export function electPreferred(at: At): RawRequest<number> {
  return {
    key: 43,
    version: 2,
    flexible: true,
    encode: (writer) => {
      writer.int8(0).structs([at], (_, { topic, partition }) => {
        writer.string(topic).array([partition], (_, one) => writer.int32(one))
      })
      writer.int32(10_000)
    },
    decode: (reader) => {
      reader.int32()
      const error = reader.int16()
      return error === 0 ? onlyResult(reader) : error
    }
  }
}

function onlyResult(reader: Reader): number {
  return onlyPartition(
    reader.structs(() => {
      reader.string()
      return reader.structs(() => {
        reader.int32()
        const error = reader.int16()
        reader.nullableString()
        return { error }
      })
    })
  ).error
}

/** FindCoordinator: the node, -1 while there is none. */
export function coordinator(kind: 'group' | 'transaction', key: string): RawRequest<number> {
  return {
    key: 10,
    version: 2,
    encode: (writer) => {
      writer.string(key).int8(kind === 'group' ? 0 : 1)
    },
    decode: (reader) => {
      reader.int32()
      reader.int16()
      reader.nullableString()
      return reader.int32()
    }
  }
}

/** Fetch in the last version that knows no racks, so that only the leader answers it. */
export function fetchFromLeader(
  at: At,
  offset: number,
  { maxWaitMs = 0, leaderEpoch = -1 } = {}
): RawRequest<{ error: number; highWatermark: number; records: Buffer }> {
  return {
    key: 1,
    version: 10,
    encode: (writer) => {
      writer
        .int32(-1)
        .int32(maxWaitMs)
        .int32(maxWaitMs > 0 ? 1 : 0)
        .int32(1 << 20)
        .int8(0)
      writer.int32(0).int32(-1)
      writePartition(writer, at, () =>
        writer
          .int32(leaderEpoch)
          .int64(offset)
          .int64(-1)
          .int32(1 << 20)
      )
      writer.structs([], none)
    },
    decode: (reader) => {
      reader.int32()
      reader.int16()
      reader.int32()
      return onlyPartition(
        reader.structs(() => {
          reader.string()
          return reader.structs(() => {
            reader.int32()
            const answer = { error: reader.int16(), highWatermark: reader.int64() }
            reader.int64()
            reader.int64()
            reader.nullableStructs(() => [reader.int64(), reader.int64()])
            return { ...answer, records: reader.bytes() }
          })
        })
      )
    }
  }
}

/** DescribeGroups or DeleteGroups: the error of the one group. */
export function aboutGroup(api: 'describe' | 'delete', group: string): RawRequest<number> {
  return {
    key: api === 'describe' ? 15 : 42,
    version: 1,
    encode: (writer) => {
      writer.array([group], (_, one) => writer.string(one))
    },
    decode: (reader) => {
      reader.int32()
      const answers = reader.array(() => {
        if (api === 'describe') return reader.int16()
        reader.string()
        return reader.int16()
      })
      return answers[0] ?? -1
    }
  }
}

/** OffsetFetch: the error of the whole answer. */
export function offsetFetchError(group: string, at: At): RawRequest<number> {
  const { encode } = fetchOffset(group, at)
  return {
    key: 9,
    version: 4,
    encode,
    decode: (reader) => {
      reader.int32()
      reader.structs(() => {
        reader.string()
        reader.structs(() => [reader.int32(), reader.int64(), reader.string(), reader.int16()])
      })
      return reader.int16()
    }
  }
}

/** AddPartitionsToTxn, version 1: the error of the one partition. */
export function addPartition(
  id: string,
  producer: { readonly producerId: number; readonly producerEpoch: number },
  at: At
): RawRequest<number> {
  return {
    key: 24,
    version: 1,
    encode: (writer) => {
      writer.string(id).int64(producer.producerId).int16(producer.producerEpoch)
      writer.structs([at], (_, { topic, partition }) => {
        writer.string(topic).array([partition], (_, one) => writer.int32(one))
      })
    },
    decode: (reader) => {
      reader.int32()
      return errorOfPartition(reader)
    }
  }
}
