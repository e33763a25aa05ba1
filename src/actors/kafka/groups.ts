import type { Cluster } from './cluster.ts'
import { kafkaFault } from './errors.ts'
import { type GroupOffset, offsetCommitApi } from './group-offsets.ts'
import type { Api, Link } from './link.ts'
import { retrying, unlessAborted } from './waiting.ts'
import { Reader, Writer } from './wire.ts'

/** Other people's consumer groups: which there are, who is in them, how far they have read, and where they go on. */

export interface GroupDescription {
  readonly group: string
  /** `Empty`, `Dead` (there is none), `Stable` and so on. */
  readonly state: string
  /** Client ids of its members. */
  readonly members: readonly string[]
}

/** The names of all consumer groups. */
export async function listGroups(cluster: Cluster, signal: AbortSignal): Promise<string[]> {
  const { brokers } = await cluster.metadata(signal, [])
  const asking = [...brokers.keys()].map((node) =>
    cluster.askNode(node, (link) => link.call(listGroupsApi), signal)
  )
  const names = new Set<string>()
  for (const { error, groups } of await Promise.all(asking)) {
    if (error !== 0) throw kafkaFault(error, `groups of ${cluster.name}`)
    // A group that only keeps offsets has no protocol type.
    for (const { group, type } of groups) if (type === 'consumer' || type === '') names.add(group)
  }
  return [...names].sort()
}

/** What the coordinator says of a group, whatever its type. One that nobody has heard of is `Dead`. */
export async function describeGroup(
  cluster: Cluster,
  group: string,
  signal: AbortSignal
): Promise<GroupDescription> {
  const described = await askCoordinator(
    cluster,
    group,
    signal,
    describeGroupApi(group),
    ({ error }) => error
  )
  return { group, state: described.state, members: described.members }
}

/** All offsets that a group has committed; those that were never committed are left out. */
export async function groupOffsets(
  cluster: Cluster,
  group: string,
  signal: AbortSignal
): Promise<GroupOffset[]> {
  const { offsets } = await askCoordinator(
    cluster,
    group,
    signal,
    offsetFetchApi(group),
    ({ error }) => error
  )
  return offsets.filter(({ offset }) => offset >= 0)
}

/**
 * Sets offsets of a group that has no members. Rejects with `kafka-unknown-member-id` when it has some: the coordinator
 * decides that, so nobody who reads is disturbed.
 */
export async function setGroupOffsets(
  cluster: Cluster,
  group: string,
  offsets: readonly GroupOffset[],
  signal: AbortSignal
): Promise<void> {
  const nobody = { group, memberId: '', instanceId: null, generation: -1 }
  const errorOf = (answers: readonly { readonly error: number }[]) =>
    answers.find(({ error }) => error !== 0)?.error ?? 0
  await askCoordinator(cluster, group, signal, offsetCommitApi(nobody, offsets), errorOf)
}

async function askCoordinator<A>(
  cluster: Cluster,
  group: string,
  signal: AbortSignal,
  api: Api<A>,
  errorOf: (answer: A) => number
): Promise<A> {
  const ask = async () => {
    const node = await cluster.coordinator('group', group, signal)
    const question = (link: Link) => unlessAborted(link.call(api), signal)
    const answer = await cluster.askNode(node, question, signal)
    const error = errorOf(answer)
    if (error === 0) return answer
    throw kafkaFault(error, `group ${group} on ${cluster.name}`)
  }
  return retrying(ask, signal, cluster.requestTimeoutMs)
}

interface ListedGroups {
  readonly error: number
  readonly groups: readonly { readonly group: string; readonly type: string }[]
}

/** ListGroups v1. */
const listGroupsApi: Api<ListedGroups> = {
  key: 16,
  version: 1,
  name: 'ListGroups',
  encode: () => [],
  decode: (body) => {
    const reader = new Reader(body)
    reader.int32()
    const error = reader.int16()
    return { error, groups: reader.array(() => ({ group: reader.string(), type: reader.string() })) }
  }
}

interface DescribedGroup {
  readonly error: number
  readonly state: string
  readonly members: readonly string[]
}

/** DescribeGroups v1. */
function describeGroupApi(group: string): Api<DescribedGroup> {
  return {
    key: 15,
    version: 1,
    name: 'DescribeGroups',
    encode: () => [new Writer().int32(1).string(group).take()],
    decode: (body) => {
      const reader = new Reader(body)
      reader.int32()
      const [described = { error: -1, state: '', members: [] }] = reader.array(() => {
        const error = reader.int16()
        reader.string()
        const state = reader.string()
        reader.string()
        reader.string()
        const members = reader.array(() => {
          reader.string()
          const client = reader.string()
          reader.string()
          reader.raw(reader.int32())
          reader.raw(reader.int32())
          return client
        })
        return { error, state, members }
      })
      return described
    }
  }
}

interface FetchedOffsets {
  readonly error: number
  readonly offsets: readonly GroupOffset[]
}

const ALL = -1

/** OffsetFetch v3, for all topics. */
function offsetFetchApi(group: string): Api<FetchedOffsets> {
  return {
    key: 9,
    version: 3,
    name: 'OffsetFetch',
    encode: () => [new Writer().string(group).int32(ALL).take()],
    decode: (body) => {
      const reader = new Reader(body)
      reader.int32()
      const topics = reader.array(() => {
        const topic = reader.string()
        return reader.array(() => {
          const one = { topic, partition: reader.int32(), offset: reader.int64() }
          reader.nullableString()
          reader.int16()
          return one
        })
      })
      return { error: reader.int16(), offsets: topics.flat() }
    }
  }
}
