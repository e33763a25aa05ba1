import {
  type Api,
  defineApi,
  mapPartitions,
  readTopics,
  type Services,
  type TopicOf,
  writeTopics
} from '../api.ts'
import { codeOf, codes, KafkaError } from '../errors.ts'
import { withPreferred, withReplicas } from '../placement.ts'
import type { Writer } from '../wire.ts'

/** How operators move partitions and their leaders. All storage is shared, so a move is done when it is answered. */

interface PartitionResult {
  readonly partition: number
  readonly error: number
  readonly message: string | null
}

interface Reassigned {
  readonly partition: number
  /** `null` cancels a reassignment. */
  readonly replicas: readonly number[] | null
}

/** AlterPartitionReassignments (key 45, KIP-455). */
export function alterReassignmentsApi({ cluster, topics }: Services): Api {
  const reassign = (topic: string, { partition, replicas }: Reassigned) => {
    if (replicas === null) {
      throw new KafkaError(codes.NO_REASSIGNMENT_IN_PROGRESS, 'No partition reassignment is in progress.')
    }
    topics.place(topic, partition, (placement) => withReplicas(cluster, placement, replicas))
  }
  return defineApi<readonly TopicOf<Reassigned>[], TopicOf<PartitionResult>[]>({
    key: 45,
    name: 'AlterPartitionReassignments',
    versions: [0, 0],
    flexibleFrom: 0,
    decode: (reader) => {
      reader.int32() // Timeout.
      return readTopics(reader, () => ({
        partition: reader.int32(),
        replicas: reader.nullableArray(() => reader.int32())
      }))
    },
    subject: (request) => request.map(({ topic }) => topic).join(' '),
    handle: (request) =>
      mapPartitions(request, (one, topic) => outcome(one.partition, () => reassign(topic, one))),
    refuse: (request, error) =>
      mapPartitions(request, ({ partition }) => ({ partition, error, message: null })),
    encode: (writer, answers) => {
      writer.int32(0).int16(codes.NONE).string(null)
      writeTopics(writer, answers, writeResult)
    }
  })
}

/** ListPartitionReassignments (key 46): none takes long enough to be seen. */
export function listReassignmentsApi(): Api {
  return defineApi<undefined, number>({
    key: 46,
    name: 'ListPartitionReassignments',
    versions: [0, 0],
    flexibleFrom: 0,
    decode: () => undefined,
    subject: () => '',
    handle: () => codes.NONE,
    refuse: (_, error) => error,
    encode: (writer, error) => {
      writer.int32(0).int16(error).string(null)
      writer.structs([], () => {})
    }
  })
}

/** Of ElectLeaders, the type that needs no data to be lost. */
const PREFERRED = 0

interface Election {
  readonly type: number
  /** `null` asks for all. */
  readonly topics: readonly TopicOf<number>[] | null
}

/** ElectLeaders (key 43, KIP-460). */
export function electLeadersApi({ cluster, topics }: Services): Api {
  const elect = (type: number, topic: string, partition: number) => {
    const log = topics.partition(topic, partition)
    if (type === PREFERRED) {
      topics.place(topic, partition, (placement) => withPreferred(cluster, placement))
    } else {
      // A partition is without a leader only as long as it is without a replica that is up.
      const isLed = log.leadership.leader >= 0
      const error = isLed ? codes.ELECTION_NOT_NEEDED : codes.ELIGIBLE_LEADERS_NOT_AVAILABLE
      throw new KafkaError(error, isLed ? 'there is a leader' : 'no replica is up')
    }
  }
  const everything = () =>
    topics.all().map(({ name, partitions }) => ({ topic: name, partitions: [...partitions.keys()] }))
  return defineApi<Election, TopicOf<PartitionResult>[]>({
    key: 43,
    name: 'ElectLeaders',
    versions: [0, 2],
    flexibleFrom: 2,
    decode: (reader, version) => {
      const type = version >= 1 ? reader.int8() : PREFERRED
      const wanted = reader.nullableStructs(() => ({
        topic: reader.string(),
        partitions: reader.array(() => reader.int32())
      }))
      reader.int32() // Timeout.
      return { type, topics: wanted }
    },
    subject: (request) => (request.topics ?? []).map(({ topic }) => topic).join(' '),
    handle: (request) => {
      const answers = mapPartitions(request.topics ?? everything(), (partition, topic) =>
        outcome(partition, () => elect(request.type, topic, partition))
      )
      if (request.topics !== null) return answers
      // Who asks for all hears only of those where something was to be done.
      return answers.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.filter(({ error }) => error !== codes.ELECTION_NOT_NEEDED)
      }))
    },
    refuse: (request, error) =>
      mapPartitions(request.topics ?? [], (partition) => ({ partition, error, message: null })),
    encode: (writer, answers, version) => {
      writer.int32(0)
      if (version >= 1) writer.int16(codes.NONE)
      writeTopics(writer, answers, writeResult)
    }
  })
}

function writeResult(writer: Writer, { partition, error, message }: PartitionResult): void {
  writer.int32(partition).int16(error).string(message)
}

function outcome(partition: number, step: () => void): PartitionResult {
  try {
    step()
    return { partition, error: codes.NONE, message: null }
  } catch (error) {
    return { partition, error: codeOf(error), message: error instanceof Error ? error.message : null }
  }
}
