import {
  type Api,
  defineApi,
  mapPartitions,
  ofGroup,
  readTopics,
  type Services,
  type TopicOf,
  writeTopics
} from '../api.ts'
import { attempt, codes } from '../errors.ts'
import type { MemberIdentity } from '../group.ts'
import type { OffsetCommit } from '../offsets.ts'

/** `offset.metadata.max.bytes`. */
const METADATA_BYTES_MAX = 4096

interface CommitRequest extends MemberIdentity {
  readonly group: string
  readonly generation: number
  readonly topics: readonly TopicOf<Omit<OffsetCommit, 'topic'>>[]
}

interface PartitionError {
  readonly partition: number
  readonly error: number
}

/** OffsetCommit (key 8). */
export function offsetCommitApi({ groups, offsets, topics }: Services): Api {
  return defineApi<CommitRequest, TopicOf<PartitionError>[]>({
    key: 8,
    name: 'OffsetCommit',
    versions: [2, 8],
    flexibleFrom: 8,
    decode: (reader, version) => {
      const group = reader.string()
      const generation = reader.int32()
      const memberId = reader.string()
      const instanceId = version >= 7 ? reader.nullableString() : null
      if (version <= 4) reader.int64() // Retention time.
      const wanted = readTopics(reader, () => {
        const partition = reader.int32()
        const offset = reader.int64()
        const leaderEpoch = version >= 6 ? reader.int32() : -1
        return { partition, offset, leaderEpoch, metadata: reader.string() }
      })
      return { group, generation, memberId, instanceId, topics: wanted }
    },
    subject: ({ group }) => group,
    duty: ({ group }) => ofGroup(group),
    handle: (request) => {
      const { group, generation } = request
      const refused = attempt(() => groups.checkCommit(group, generation, request, false))
      const check = (topic: string, one: Omit<OffsetCommit, 'topic'>) => {
        if (refused !== codes.NONE) return refused
        if (!topics.get(topic)?.partitions[one.partition]) return codes.UNKNOWN_TOPIC_OR_PARTITION
        return Buffer.byteLength(one.metadata) > METADATA_BYTES_MAX
          ? codes.OFFSET_METADATA_TOO_LARGE
          : codes.NONE
      }
      const accepted: OffsetCommit[] = []
      const answers = mapPartitions(request.topics, (one, topic) => {
        const error = check(topic, one)
        if (error === codes.NONE) accepted.push({ topic, ...one })
        return { partition: one.partition, error }
      })
      if (accepted.length === 0) return answers
      const stored = attempt(() => offsets.commit(group, accepted))
      if (stored === codes.NONE) return answers
      // Kafka answers so when the offsets topic cannot be written: find the coordinator again.
      return mapPartitions(request.topics, ({ partition }) => ({ partition, error: codes.NOT_COORDINATOR }))
    },
    refuse: (request, error) => mapPartitions(request.topics, ({ partition }) => ({ partition, error })),
    encode: (writer, answers, version) => {
      if (version >= 3) writer.int32(0)
      writeTopics(writer, answers, (_, { partition, error }) => {
        writer.int32(partition).int16(error)
      })
    }
  })
}

interface FetchRequest {
  readonly group: string
  /** `null` asks for all. */
  readonly topics: readonly TopicOf<number>[] | null
  readonly stable: boolean
}

interface OffsetAnswer {
  readonly partition: number
  readonly error: number
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
}

interface FetchResponse {
  readonly error: number
  readonly topics: readonly TopicOf<OffsetAnswer>[]
}

/** OffsetFetch (key 9). From version 7 on a caller may refuse offsets that an open transaction may still move. */
export function offsetFetchApi({ offsets }: Services): Api {
  return defineApi<FetchRequest, FetchResponse>({
    key: 9,
    name: 'OffsetFetch',
    versions: [1, 7],
    flexibleFrom: 6,
    decode: (reader, version) => {
      const group = reader.string()
      const topics = reader.nullableStructs(() => ({
        topic: reader.string(),
        partitions: reader.array(() => reader.int32())
      }))
      return { group, topics, stable: version >= 7 && reader.boolean() }
    },
    subject: ({ group }) => group,
    duty: ({ group }) => ofGroup(group),
    handle: ({ group, topics, stable }) => ({
      error: codes.NONE,
      topics: mapPartitions(topics ?? allTopics(offsets.all(group)), (partition, topic) => {
        if (stable && offsets.isPending(group, topic, partition)) {
          return noOffset(partition, codes.UNSTABLE_OFFSET_COMMIT)
        }
        const found = offsets.get(group, topic, partition)
        return found ? { ...found, partition, error: codes.NONE } : noOffset(partition, codes.NONE)
      })
    }),
    refuse: (request, error) => ({
      error,
      topics: mapPartitions(request.topics ?? [], (partition) => noOffset(partition, error))
    }),
    encode: (writer, { error, topics }, version) => {
      if (version >= 3) writer.int32(0)
      // From version 2 on, what fails as a whole says so once.
      writeTopics(writer, version >= 2 && error !== codes.NONE ? [] : topics, (_, answer) => {
        writer.int32(answer.partition).int64(answer.offset)
        if (version >= 5) writer.int32(answer.leaderEpoch)
        writer.string(answer.metadata).int16(answer.error)
      })
      if (version >= 2) writer.int16(error)
    }
  })
}

function allTopics(commits: readonly OffsetCommit[]): TopicOf<number>[] {
  const byTopic = Map.groupBy(commits, ({ topic }) => topic)
  return [...byTopic].map(([topic, some]) => ({ topic, partitions: some.map(({ partition }) => partition) }))
}

function noOffset(partition: number, error: number): OffsetAnswer {
  return { partition, error, offset: -1, leaderEpoch: -1, metadata: '' }
}
