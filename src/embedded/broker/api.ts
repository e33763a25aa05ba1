import type { BrokerConfig } from './broker-config.ts'
import type { Cluster, Duty, NodeAddress } from './cluster.ts'
import type { Groups } from './groups.ts'
import type { OffsetStore } from './offsets.ts'
import type { Timers } from './timers.ts'
import type { Topics } from './topics.ts'
import type { Transactions } from './transactions.ts'
import type { Reader, Writer } from './wire.ts'

/** What the APIs act upon. */
export interface Services {
  /** The node that answers. */
  readonly node: NodeAddress
  readonly cluster: Cluster
  readonly brokerConfig: BrokerConfig
  readonly topics: Topics
  readonly groups: Groups
  readonly offsets: OffsetStore
  readonly transactions: Transactions
  readonly timers: Timers
  readonly autoCreateTopics: boolean
  readonly now: () => number
  /** The fault at a finer subject than the whole request, as for one partition of many: its error code, or 0. */
  readonly refusal: (subject: string) => number
}

/** Who asks. */
export interface Caller {
  readonly clientId: string
  readonly host: string
  readonly version: number
}

/** One API of the protocol: its codec for all versions, and what it does. */
export interface ApiDefinition<Request, Response> {
  readonly key: number
  readonly name: string
  /** The first and the last version served. */
  readonly versions: readonly [number, number]
  /** The first flexible version (KIP-482); none if left out. */
  readonly flexibleFrom?: number
  readonly decode: (reader: Reader, version: number) => Request
  /** What the request is about, as fault rules see it after the API's name: `hybrid-0 hybrid-1`, a group, an id. */
  readonly subject: (request: Request) => string
  /** What only its coordinator may answer; any other node refuses with `NOT_COORDINATOR`. */
  readonly duty?: (request: Request) => Duty | undefined
  readonly handle: (request: Request, caller: Caller) => Response | Promise<Response>
  /** The response in which everything failed with this code. */
  readonly refuse: (request: Request, code: number) => Response
  readonly encode: (writer: Writer, response: Response, version: number) => void
  /** A request that wants no answer (Produce with acks 0). */
  readonly isSilent?: (request: Request) => boolean
}

/** An API without its types, as the server dispatches it. */
export interface Api {
  readonly key: number
  readonly name: string
  readonly versions: readonly [number, number]
  readonly flexibleFrom: number
  readonly open: (reader: Reader, version: number) => Exchange
}

/** One request, decoded. */
export interface Exchange {
  readonly subject: string
  readonly isSilent: boolean
  readonly duty: Duty | undefined
  readonly handle: (caller: Caller) => Answer | Promise<Answer>
  readonly refuse: (code: number) => Answer
}

/** Writes the body of a response. */
export type Answer = (writer: Writer) => void

export function defineApi<Request, Response>(definition: ApiDefinition<Request, Response>): Api {
  const { key, name, versions, flexibleFrom = Infinity } = definition
  const open = (reader: Reader, version: number): Exchange => {
    const request = definition.decode(reader, version)
    const answer =
      (response: Response): Answer =>
      (writer) =>
        definition.encode(writer, response, version)
    return {
      subject: definition.subject(request),
      isSilent: definition.isSilent?.(request) ?? false,
      duty: definition.duty?.(request),
      refuse: (code) => answer(definition.refuse(request, code)),
      handle: (caller) => {
        const response = definition.handle(request, caller)
        return response instanceof Promise ? response.then(answer) : answer(response)
      }
    }
  }
  return { key, name, versions, flexibleFrom, open }
}

/** The duty of a group's coordinator; a request without a group is refused by any node. */
export function ofGroup(key: string): Duty | undefined {
  return key === '' ? undefined : { kind: 'group', key }
}

/** The duty of a transactional id's coordinator; without an id, any node gives a producer its id. */
export function ofTransaction(key: string | null): Duty | undefined {
  return key === null || key === '' ? undefined : { kind: 'transaction', key }
}

/** The partitions of a request under their topic, as the protocol groups them. */
export interface TopicOf<Partition> {
  readonly topic: string
  readonly partitions: readonly Partition[]
}

/** `hybrid-0 hybrid-1`: the subject of a request about partitions. */
export function subjectOf(topics: readonly TopicOf<{ readonly partition: number }>[]): string {
  const names: string[] = []
  for (const { topic, partitions } of topics) {
    for (const { partition } of partitions) names.push(`${topic}-${partition}`)
  }
  return names.join(' ')
}

/** Answers for every partition of a request, in its order. */
export function mapPartitions<In, Out>(
  topics: readonly TopicOf<In>[],
  map: (partition: In, topic: string) => Out
): TopicOf<Out>[] {
  return topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((partition) => map(partition, topic))
  }))
}

export function readTopics<Partition>(
  reader: Reader,
  read: (reader: Reader) => Partition
): TopicOf<Partition>[] {
  return reader.structs(() => ({ topic: reader.string(), partitions: reader.structs(() => read(reader)) }))
}

export function writeTopics<Partition>(
  writer: Writer,
  topics: readonly TopicOf<Partition>[],
  write: (writer: Writer, partition: Partition) => void
): void {
  writer.structs(topics, (_, { topic, partitions }) => {
    writer.string(topic).structs(partitions, write)
  })
}
