import {
  type Api,
  defineApi,
  mapPartitions,
  readTopics,
  type Services,
  subjectOf,
  type TopicOf,
  writeTopics
} from '../api.ts'
import { codeOf, codes } from '../errors.ts'
import type { PartitionLog } from '../log.ts'
import { ledHere } from './leading.ts'

const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3

interface WantedOffset {
  readonly partition: number
  readonly leaderEpoch: number
  readonly timestamp: number
}

interface ListOffsetsRequest {
  readonly committed: boolean
  readonly topics: readonly TopicOf<WantedOffset>[]
}

interface OffsetAnswer {
  readonly partition: number
  readonly error: number
  readonly timestamp: number
  readonly offset: number
  readonly leaderEpoch: number
}

/** ListOffsets (key 2). With read_committed the latest offset is the last stable one. */
export function listOffsetsApi(services: Services): Api {
  return defineApi<ListOffsetsRequest, TopicOf<OffsetAnswer>[]>({
    key: 2,
    name: 'ListOffsets',
    versions: [1, 7],
    flexibleFrom: 6,
    decode: (reader, version) => {
      reader.int32() // Replica id.
      const committed = version >= 2 && reader.int8() === 1
      const wanted = readTopics(reader, () => {
        const partition = reader.int32()
        const leaderEpoch = version >= 4 ? reader.int32() : -1
        return { partition, leaderEpoch, timestamp: reader.int64() }
      })
      return { committed, topics: wanted }
    },
    subject: (request) => subjectOf(request.topics),
    handle: (request) =>
      mapPartitions(request.topics, (wanted, topic) => {
        try {
          const log = ledHere(services, topic, wanted.partition, wanted.leaderEpoch)
          const found = look(log, wanted.timestamp, request.committed)
          return { partition: wanted.partition, error: codes.NONE, ...found }
        } catch (error) {
          return noOffset(wanted.partition, codeOf(error))
        }
      }),
    refuse: (request, code) => mapPartitions(request.topics, ({ partition }) => noOffset(partition, code)),
    encode: (writer, answers, version) => {
      if (version >= 2) writer.int32(0)
      writeTopics(writer, answers, (_, { partition, error, timestamp, offset, leaderEpoch }) => {
        writer.int32(partition).int16(error).int64(timestamp).int64(offset)
        if (version >= 4) writer.int32(leaderEpoch)
      })
    }
  })
}

function look(
  log: PartitionLog,
  timestamp: number,
  committed: boolean
): Omit<OffsetAnswer, 'partition' | 'error'> {
  const { leaderEpoch } = log
  switch (timestamp) {
    case LATEST:
      return { timestamp: -1, offset: committed ? log.lastStableOffset : log.endOffset, leaderEpoch }
    case EARLIEST:
      return { timestamp: -1, offset: log.startOffset, leaderEpoch }
    default: {
      const wanted = timestamp === MAX_TIMESTAMP ? log.maxTimestamp : timestamp
      const found = wanted < 0 ? undefined : log.offsetAt(wanted)
      const visible = found && (!committed || found.offset < log.lastStableOffset)
      return visible ? found : { timestamp: -1, offset: -1, leaderEpoch: -1 }
    }
  }
}

function noOffset(partition: number, error: number): OffsetAnswer {
  return { partition, error, timestamp: -1, offset: -1, leaderEpoch: -1 }
}

interface WantedEpoch {
  readonly partition: number
  readonly currentEpoch: number
  readonly epoch: number
}

interface EpochAnswer {
  readonly partition: number
  readonly error: number
  readonly epoch: number
  readonly endOffset: number
}

/** OffsetForLeaderEpoch (key 23): where an epoch ended, so that a client notices a log that was cut behind its back. */
export function offsetForLeaderEpochApi(services: Services): Api {
  return defineApi<readonly TopicOf<WantedEpoch>[], TopicOf<EpochAnswer>[]>({
    key: 23,
    name: 'OffsetForLeaderEpoch',
    versions: [0, 4],
    flexibleFrom: 4,
    decode: (reader, version) => {
      if (version >= 3) reader.int32() // Replica id.
      return readTopics(reader, () => {
        const partition = reader.int32()
        const currentEpoch = version >= 2 ? reader.int32() : -1
        return { partition, currentEpoch, epoch: reader.int32() }
      })
    },
    subject: subjectOf,
    handle: (request) =>
      mapPartitions(request, ({ partition, currentEpoch, epoch }, topic) => {
        try {
          const log = ledHere(services, topic, partition, currentEpoch)
          return { partition, error: codes.NONE, ...log.endOfEpoch(epoch) }
        } catch (error) {
          return { partition, error: codeOf(error), epoch: -1, endOffset: -1 }
        }
      }),
    refuse: (request, error) =>
      mapPartitions(request, ({ partition }) => ({ partition, error, epoch: -1, endOffset: -1 })),
    encode: (writer, answers, version) => {
      if (version >= 2) writer.int32(0)
      writeTopics(writer, answers, (_, { partition, error, epoch, endOffset }) => {
        writer.int16(error).int32(partition)
        if (version >= 1) writer.int32(epoch)
        writer.int64(endOffset)
      })
    }
  })
}
