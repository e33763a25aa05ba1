import { Fault } from '../../errors.ts'
import type { Api, Link } from './link.ts'
import { Reader, Writer } from './wire.ts'

export interface Metadata {
  readonly clusterId: string | undefined
  /** Node id; brokers in KRaft mode name any broker here, and forward what is meant for the controller. */
  readonly controllerId: number
  readonly brokers: ReadonlyMap<number, BrokerAddress>
  readonly topics: ReadonlyMap<string, TopicMetadata>
}

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export interface TopicMetadata {
  /** UUID as lower-case hex with dashes; `undefined` where the broker has no topic ids (Metadata below v10). */
  readonly id: string | undefined
  readonly internal: boolean
  /** Kafka error code, 0 for none. */
  readonly error: number
  /** Ascending by partition. */
  readonly partitions: readonly PartitionMetadata[]
}

export interface PartitionMetadata {
  readonly partition: number
  /** Node id, -1 while there is none. */
  readonly leader: number
  /** -1 when the broker does not tell. */
  readonly leaderEpoch: number
  readonly error: number
}

/** A partition of a topic, `undefined` when it is not listed. They mostly stand at the place of their number. */
export function partitionIn(
  topic: TopicMetadata | undefined,
  partition: number
): PartitionMetadata | undefined {
  const likely = topic?.partitions[partition]
  return likely?.partition === partition
    ? likely
    : topic?.partitions.find((one) => one.partition === partition)
}

const KEY = 3
const NEWEST = 12
/** From this version on topics have ids and the encoding is flexible. */
const WITH_IDS = 10
/** What older brokers are asked in: the first version with leader epochs (Kafka 2.1). */
const WITHOUT_IDS = 7

/**
 * Metadata in v12, or in the newest version below that the broker offers. kafkajs stops at v6, which knows neither topic
 * ids nor leader epochs.
 *
 * @param topics undefined asks for all topics; topics are never created by asking
 */
export function metadataApi(link: Link, topics: readonly string[] | undefined): Api<Metadata> {
  const offered = link.version(KEY) ?? 0
  if (offered < WITHOUT_IDS) throw new Fault('broker-too-old', `${link.address}: Metadata v${offered}`)
  const version = offered >= WITH_IDS ? Math.min(offered, NEWEST) : WITHOUT_IDS
  return version >= WITH_IDS
    ? {
        key: KEY,
        version,
        name: 'Metadata',
        flexible: true,
        encode: () => [encodeFlexible(version, topics)],
        decode: (body) => decodeFlexible(version, new Reader(body))
      }
    : {
        key: KEY,
        version,
        name: 'Metadata',
        encode: () => [encodePlain(topics)],
        decode: (body) => decodePlain(new Reader(body))
      }
}

function encodeFlexible(version: number, topics: readonly string[] | undefined): Buffer {
  const writer = new Writer()
  writer.uvarint(topics === undefined ? 0 : topics.length + 1)
  for (const topic of topics ?? []) writer.zeroUuid().compactString(topic).noTags()
  writer.boolean(false)
  if (version < 11) writer.boolean(false)
  return writer.boolean(false).noTags().take()
}

function decodeFlexible(version: number, reader: Reader): Metadata {
  reader.int32()
  const brokers = reader.compactArray(() => {
    const broker = [reader.int32(), { host: reader.compactString() ?? '', port: reader.int32() }] as const
    reader.compactString()
    reader.skipTags()
    return broker
  })
  const clusterId = reader.compactString()
  const controllerId = reader.int32()
  const topics = reader.compactArray(() => flexibleTopic(reader))
  if (version < 11) reader.int32()
  reader.skipTags()
  return { clusterId, controllerId, brokers: new Map(brokers), topics: new Map(topics) }
}

function flexibleTopic(reader: Reader): readonly [string, TopicMetadata] {
  const error = reader.int16()
  const name = reader.compactString() ?? ''
  const id = reader.uuid()
  const internal = reader.boolean()
  const partitions = reader.compactArray(() => {
    const partition = partitionOf(reader)
    for (let list = 0; list < 3; list++) reader.compactArray(() => reader.int32())
    reader.skipTags()
    return partition
  })
  reader.int32()
  reader.skipTags()
  return [name, { id, internal, error, partitions: sorted(partitions) }]
}

function encodePlain(topics: readonly string[] | undefined): Buffer {
  const writer = new Writer().int32(topics?.length ?? -1)
  for (const topic of topics ?? []) writer.string(topic)
  return writer.boolean(false).take()
}

function decodePlain(reader: Reader): Metadata {
  reader.int32()
  const brokers = reader.array(() => {
    const broker = [reader.int32(), { host: reader.string(), port: reader.int32() }] as const
    reader.nullableString()
    return broker
  })
  const clusterId = reader.nullableString()
  const controllerId = reader.int32()
  const topics = reader.array(() => plainTopic(reader))
  return { clusterId, controllerId, brokers: new Map(brokers), topics: new Map(topics) }
}

function plainTopic(reader: Reader): readonly [string, TopicMetadata] {
  const error = reader.int16()
  const name = reader.string()
  const internal = reader.boolean()
  const partitions = reader.array(() => {
    const partition = partitionOf(reader)
    for (let list = 0; list < 3; list++) reader.array(() => reader.int32())
    return partition
  })
  return [name, { id: undefined, internal, error, partitions: sorted(partitions) }]
}

function partitionOf(reader: Reader): PartitionMetadata {
  const error = reader.int16()
  const partition = reader.int32()
  const leader = reader.int32()
  return { partition, leader, leaderEpoch: reader.int32(), error }
}

function sorted(partitions: PartitionMetadata[]): PartitionMetadata[] {
  return partitions.sort((a, b) => a.partition - b.partition)
}
