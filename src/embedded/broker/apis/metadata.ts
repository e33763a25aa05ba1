import { type Api, defineApi, type Services } from '../api.ts'
import type { Duty, NodeAddress } from '../cluster.ts'
import { codeOf, codes, KafkaError } from '../errors.ts'
import type { PartitionLog } from '../log.ts'
import type { Topic } from '../topics.ts'
import type { Writer } from '../wire.ts'

interface WantedTopic {
  readonly id: string
  readonly name: string | null
}

interface MetadataRequest {
  /** `null` asks for all. */
  readonly topics: readonly WantedTopic[] | null
  readonly mayCreate: boolean
}

interface TopicAnswer {
  readonly error: number
  readonly name: string | null
  readonly id: string
  readonly topic: Topic | undefined
}

/** "Not asked for", as a bit set of allowed operations. */
const NO_OPERATIONS = -2147483648

/** Metadata (key 3), with topic ids from version 10 on (KIP-516). A replica is in sync as long as its node is up. */
export function metadataApi(services: Services): Api {
  const { cluster, topics } = services
  return defineApi<MetadataRequest, readonly TopicAnswer[]>({
    key: 3,
    name: 'Metadata',
    versions: [0, 12],
    flexibleFrom: 9,
    decode: (reader, version) => {
      const wanted = reader.nullableStructs(() => ({
        id: version >= 10 ? reader.uuid() : '',
        name: reader.nullableString()
      }))
      const mayCreate = version < 4 || reader.boolean()
      const all = wanted === null || (version === 0 && wanted.length === 0)
      return { topics: all ? null : wanted, mayCreate }
    },
    subject: (request) => (request.topics ?? []).map(({ name, id }) => name ?? id).join(' '),
    handle: (request) => {
      if (request.topics === null) return topics.all().map(found)
      return request.topics.map((wanted) => look(services, wanted, request.mayCreate))
    },
    refuse: (request, error) =>
      (request.topics ?? []).map(({ name, id }) => ({ error, name: name ?? '', id, topic: undefined })),
    encode: (writer, answers, version) => {
      if (version >= 3) writer.int32(0)
      writer.structs(cluster.alive, (_, node) => {
        writeNode(writer, node)
        if (version >= 1) writer.string(null)
      })
      if (version >= 2) writer.string(topics.clusterId)
      if (version >= 1) writer.int32(cluster.controller)
      writer.structs(answers, (_, { error, name, id, topic }) => {
        writer.int16(error).string(version >= 12 ? name : (name ?? ''))
        if (version >= 10) writer.uuid(id)
        if (version >= 1) writer.boolean(false)
        writer.structs([...(topic?.partitions ?? []).entries()], (_, [partition, log]) => {
          writePartition(writer, services, partition, log, version)
        })
        if (version >= 8) writer.int32(NO_OPERATIONS)
      })
      if (version >= 8 && version <= 10) writer.int32(NO_OPERATIONS)
    }
  })
}

function writePartition(
  writer: Writer,
  { cluster }: Services,
  partition: number,
  { leadership }: PartitionLog,
  version: number
): void {
  const { leader, replicas, epoch } = leadership
  writer.int16(leader < 0 ? codes.LEADER_NOT_AVAILABLE : codes.NONE).int32(partition)
  writer.int32(leader)
  if (version >= 7) writer.int32(epoch)
  const writeIds = (ids: readonly number[]) => writer.array(ids, (_, id) => writer.int32(id))
  writeIds(replicas)
  writeIds(replicas.filter((id) => cluster.isAlive(id)))
  if (version >= 5) writeIds(replicas.filter((id) => !cluster.isAlive(id)))
}

function writeNode(writer: Writer, { id, host, port }: NodeAddress): void {
  writer.int32(id).string(host).int32(port)
}

function look({ topics, autoCreateTopics }: Services, wanted: WantedTopic, mayCreate: boolean): TopicAnswer {
  if (wanted.name === null) {
    const topic = topics.byId(wanted.id)
    if (topic) return found(topic)
    return { error: codes.UNKNOWN_TOPIC_ID, name: null, id: wanted.id, topic: undefined }
  }
  const topic = topics.get(wanted.name)
  if (topic) return found(topic)
  try {
    const asDefault = { partitions: -1, replication: -1, assignments: [], config: {} }
    const created = topics.create(wanted.name, asDefault, !(autoCreateTopics && mayCreate))
    if (created) return found(created)
    throw new KafkaError(codes.UNKNOWN_TOPIC_OR_PARTITION, `${wanted.name} does not exist`)
  } catch (error) {
    return { error: codeOf(error), name: wanted.name, id: '', topic: undefined }
  }
}

function found(topic: Topic): TopicAnswer {
  return { error: codes.NONE, name: topic.name, id: topic.id, topic }
}

interface CoordinatorAnswer {
  readonly error: number
  readonly node: NodeAddress | undefined
}

/** FindCoordinator (key 10), of a group or of a transactional id. */
export function findCoordinatorApi({ cluster }: Services): Api {
  return defineApi<Duty, CoordinatorAnswer>({
    key: 10,
    name: 'FindCoordinator',
    versions: [0, 3],
    flexibleFrom: 3,
    decode: (reader, version) => {
      const key = reader.string()
      return { kind: version >= 1 && reader.int8() === 1 ? 'transaction' : 'group', key }
    },
    subject: ({ key }) => key,
    handle: (duty) => {
      const node = cluster.coordinatorOf(duty)
      return { error: node ? codes.NONE : codes.COORDINATOR_NOT_AVAILABLE, node }
    },
    refuse: (_, error) => ({ error, node: undefined }),
    encode: (writer, { error, node }, version) => {
      if (version >= 1) writer.int32(0)
      writer.int16(error)
      if (version >= 1) writer.string(null)
      writeNode(writer, node ?? { id: -1, host: '', port: -1 })
    }
  })
}

/** DescribeCluster (key 60). */
export function describeClusterApi({ cluster, topics }: Services): Api {
  return defineApi<undefined, number>({
    key: 60,
    name: 'DescribeCluster',
    versions: [0, 0],
    flexibleFrom: 0,
    decode: (reader) => {
      reader.boolean()
      return undefined
    },
    subject: () => '',
    handle: () => codes.NONE,
    refuse: (_, code) => code,
    encode: (writer, error) => {
      writer.int32(0).int16(error).string(null).string(topics.clusterId).int32(cluster.controller)
      writer.structs(cluster.alive, (_, node) => {
        writeNode(writer, node)
        writer.string(null)
      })
      writer.int32(NO_OPERATIONS)
    }
  })
}

/** ApiVersions (key 18). Its response header is never flexible, so that a client can read it before it knows us. */
export function apiVersionsApi(apis: () => readonly Api[]): Api {
  return defineApi<undefined, number>({
    key: 18,
    name: 'ApiVersions',
    versions: [0, 3],
    flexibleFrom: 3,
    decode: () => undefined,
    subject: () => '',
    handle: () => codes.NONE,
    refuse: (_, code) => code,
    encode: (writer, error, version) => {
      writer.int16(error).structs(apis(), (_, { key, versions: [first, last] }) => {
        writer.int16(key).int16(first).int16(last)
      })
      if (version >= 1) writer.int32(0)
    }
  })
}
