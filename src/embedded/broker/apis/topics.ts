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
import { attempt, codeOf, codes, KafkaError } from '../errors.ts'
import type { NewTopic } from '../topics.ts'
import { ledHere } from './leading.ts'

interface NamedTopic extends NewTopic {
  readonly name: string
}

interface CreateRequest {
  readonly topics: readonly NamedTopic[]
  readonly validateOnly: boolean
}

interface TopicResult {
  readonly name: string
  readonly error: number
  readonly message: string | null
}

/** CreateTopics (key 19). */
export function createTopicsApi(services: Services): Api {
  return defineApi<CreateRequest, readonly TopicResult[]>({
    key: 19,
    name: 'CreateTopics',
    versions: [0, 7],
    flexibleFrom: 5,
    decode: (reader, version) => {
      const topics = reader.structs(() => ({
        name: reader.string(),
        partitions: reader.int32(),
        replication: reader.int16(),
        assignments: inOrder(
          reader.structs((): [number, number[]] => [reader.int32(), reader.array(() => reader.int32())])
        ),
        config: Object.fromEntries(
          reader.structs((): [string, string] => [reader.string(), reader.nullableString() ?? ''])
        )
      }))
      reader.int32() // Timeout.
      return { topics, validateOnly: version >= 1 && reader.boolean() }
    },
    subject: ({ topics }) => topics.map(({ name }) => name).join(' '),
    handle: ({ topics, validateOnly }) =>
      topics.map((topic) =>
        result(topic.name, () => services.topics.create(topic.name, topic, validateOnly))
      ),
    refuse: ({ topics }, error) => topics.map(({ name }) => ({ name, error, message: null })),
    encode: (writer, results, version) => {
      if (version >= 2) writer.int32(0)
      writer.structs(results, (_, { name, error, message }) => {
        const topic = error === codes.NONE ? services.topics.get(name) : undefined
        writer.string(name)
        if (version >= 7) writer.uuid(topic?.id ?? '')
        writer.int16(error)
        if (version >= 1) writer.string(message)
        if (version < 5) return
        const replication = topic?.partitions[0]?.leadership.replicas.length
        writer.int32(topic?.partitions.length ?? -1).int16(replication ?? -1)
        writer.structs(Object.entries(topic?.config.given() ?? {}), (_, [key, value]) => {
          writer.string(key).string(value).boolean(false).int8(1).boolean(false)
        })
      })
    }
  })
}

/** DeleteTopics (key 20). Committed offsets of the topic go with it. */
export function deleteTopicsApi({ topics, offsets }: Services): Api {
  return defineApi<readonly string[], readonly TopicResult[]>({
    key: 20,
    name: 'DeleteTopics',
    versions: [0, 5],
    flexibleFrom: 4,
    decode: (reader) => {
      const names = reader.array(() => reader.string())
      reader.int32()
      return names
    },
    subject: (names) => names.join(' '),
    handle: (names) =>
      names.map((name) =>
        result(name, () => {
          topics.delete(name)
          offsets.forgetTopic(name)
        })
      ),
    refuse: (names, error) => names.map((name) => ({ name, error, message: null })),
    encode: (writer, results, version) => {
      if (version >= 1) writer.int32(0)
      writer.structs(results, (_, { name, error, message }) => {
        writer.string(name).int16(error)
        if (version >= 5) writer.string(message)
      })
    }
  })
}

interface GrowRequest {
  readonly topics: readonly (Pick<NewTopic, 'assignments'> & {
    readonly name: string
    readonly count: number
  })[]
  readonly validateOnly: boolean
}

/** CreatePartitions (key 37). */
export function createPartitionsApi({ topics }: Services): Api {
  return defineApi<GrowRequest, readonly TopicResult[]>({
    key: 37,
    name: 'CreatePartitions',
    versions: [0, 3],
    flexibleFrom: 2,
    decode: (reader) => {
      const wanted = reader.structs(() => ({
        name: reader.string(),
        count: reader.int32(),
        assignments: reader.structs(() => reader.array(() => reader.int32()))
      }))
      reader.int32()
      return { topics: wanted, validateOnly: reader.boolean() }
    },
    subject: (request) => request.topics.map(({ name }) => name).join(' '),
    handle: (request) =>
      request.topics.map(({ name, count, assignments }) =>
        result(name, () => topics.grow(name, count, assignments, request.validateOnly))
      ),
    refuse: (request, error) => request.topics.map(({ name }) => ({ name, error, message: null })),
    encode: (writer, results) => {
      writer.int32(0).structs(results, (_, { name, error, message }) => {
        writer.string(name).int16(error).string(message)
      })
    }
  })
}

interface DeleteBelow {
  readonly partition: number
  readonly offset: number
}

interface DeletedBelow {
  readonly partition: number
  readonly startOffset: number
  readonly error: number
}

/** DeleteRecords (key 21); not in topics that are only compacted. */
export function deleteRecordsApi(services: Services): Api {
  return defineApi<readonly TopicOf<DeleteBelow>[], TopicOf<DeletedBelow>[]>({
    key: 21,
    name: 'DeleteRecords',
    versions: [0, 2],
    flexibleFrom: 2,
    decode: (reader) => {
      const wanted = readTopics(reader, () => ({ partition: reader.int32(), offset: reader.int64() }))
      reader.int32()
      return wanted
    },
    subject: subjectOf,
    handle: (request) =>
      mapPartitions(request, ({ partition, offset }, topic) => {
        let startOffset = -1
        const error = attempt(() => {
          ledHere(services, topic, partition)
          if (services.topics.get(topic)?.config.deletes === false) {
            throw new KafkaError(codes.POLICY_VIOLATION, `${topic} does not have cleanup.policy delete`)
          }
          startOffset = services.topics.truncate(topic, partition, offset)
        })
        return { partition, startOffset, error }
      }),
    refuse: (request, error) =>
      mapPartitions(request, ({ partition }) => ({ partition, startOffset: -1, error })),
    encode: (writer, answers) => {
      writer.int32(0)
      writeTopics(writer, answers, (_, { partition, startOffset, error }) => {
        writer.int32(partition).int64(startOffset).int16(error)
      })
    }
  })
}

/** The replicas of partitions 0, 1, …; `INVALID_REPLICA_ASSIGNMENT` later on for those that are left out. */
function inOrder(
  assignments: readonly (readonly [number, readonly number[]])[]
): readonly (readonly number[])[] {
  const byPartition = new Map(assignments)
  return assignments.map((_, partition) => byPartition.get(partition) ?? [])
}

function result(name: string, step: () => void): TopicResult {
  try {
    step()
    return { name, error: codes.NONE, message: null }
  } catch (error) {
    return { name, error: codeOf(error), message: error instanceof Error ? error.message : String(error) }
  }
}
