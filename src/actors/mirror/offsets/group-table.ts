import { isInternalName, targetNamer } from '../../../config/naming.ts'
import { rulesFor } from '../../../config/rules.ts'
import { topicMatcher } from '../../../config/topics.ts'
import type { MirrorConfig } from '../../../config.ts'
import { Fault } from '../../../errors.ts'
import type { Cluster } from '../../kafka/cluster.ts'
import type { GroupOffset } from '../../kafka/group-offsets.ts'
import { describeGroup, groupOffsets } from '../../kafka/groups.ts'
import { tp } from '../../kafka/topic-partition.ts'
import { Anchors, isOfTopics } from './anchors.ts'
import { storedAnchors } from './keeper.ts'
import { offsetsTopicOf } from './offsets.ts'
import { OffsetRanges } from './ranges.ts'
import { Tails } from './tails.ts'
import { type Chart, Translator } from './translator.ts'

export interface GroupTableOptions extends MirrorConfig {
  readonly name: string
  readonly source: Cluster
  readonly target: Cluster
  readonly prefix: string
  readonly positionsTopic: string
  /** Partitions of the positions topic, 0 when it does not exist. */
  readonly partitions: number
}

/** Where a group goes on with one partition. */
export interface GroupRow {
  readonly topic: string
  readonly partition: number
  readonly targetTopic: string
  readonly sourceOffset: number
  /** `null` when there is no place: it was not copied, or its records do not keep their order. */
  readonly targetOffset: number | null
  /** Nothing is read again there. */
  readonly exact: boolean
  /** Offsets between the group's and the source's end. */
  readonly sourceLag: number
}

const EARLIEST = -2
const LATEST = -1

/**
 * Translates a group's offsets by what lies on the clusters, whether the mirror runs or not. Rejects with
 * `mirror-unknown` when it has never run, `group-unknown` when the source knows no such group, and `group-without-offsets`
 * when it has committed none for a topic of the mirror.
 */
export async function groupTable(
  options: GroupTableOptions,
  group: string,
  signal: AbortSignal
): Promise<GroupRow[]> {
  const { name, source, target, positionsTopic } = options
  if (options.partitions === 0)
    throw new Fault('mirror-unknown', `mirror ${name} has never run: ${target.name} has no ${positionsTopic}`)
  const places = await placesOf(options, group, signal)
  const tails = await new Tails(options).look(places, signal)
  const rulesOf = rulesFor(options.rules)
  await Promise.all([source.metadata(signal), target.metadata(signal)])
  const idsOf = ({ topic, targetTopic }: Place) => {
    const [sourceId, targetId] = [idOf(source, topic), idOf(target, targetTopic)]
    return { sourceId, targetId }
  }
  const isCopied = (one: Place) => {
    const tail = tails.get(keyOf(one))
    return (
      tail !== undefined && isOfTopics(tail.ids, idsOf(one)) && rulesOf(one.topic).partitioning === 'preserve'
    )
  }
  const copied = places.filter(isCopied)
  const stored = await storedAnchors(target, offsetsTopicOf(options.prefix), signal)
  const starts = await target.listOffsets(copied.map(startOf), 0, signal)
  const ends = await source.listOffsets(places.map(endOf), 0, signal)
  const translator = new Translator({ source, target, isWhole: (one) => rulesOf(one).filter === undefined })
  const rows: GroupRow[] = []
  for (const place of places) {
    const { topic, partition, targetTopic, offset } = place
    const sourceLag = Math.max(0, (ends.get(keyOf(place)) ?? offset) - offset)
    const row = { topic, partition, targetTopic, sourceOffset: offset, sourceLag }
    const tail = tails.get(keyOf(place))
    if (tail === undefined || !copied.includes(place)) {
      rows.push({ ...row, targetOffset: null, exact: false })
      continue
    }
    const anchors = new Anchors()
    const known = stored.get(keyOf(place)) ?? []
    anchors.restore(known.filter((one) => one.source <= tail.position && isOfTopics(one, idsOf(place))))
    const ranges = new OffsetRanges(tail.position)
    const chart: Chart = { topic, partition, targetTopic, ranges, anchors, end: async () => tail.end }
    const found = await translator.translate(chart, offset, signal)
    const start = starts.get(tp(targetTopic, partition)) ?? 0
    const targetOffset = Math.max(start, found?.target ?? start)
    rows.push({ ...row, targetOffset, exact: found?.isExact ?? false })
  }
  return rows.sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition)
}

interface Place extends GroupOffset {
  readonly targetTopic: string
}

/** The group's offsets in topics of the mirror. */
async function placesOf(
  { source, topics, exclude, naming, name }: GroupTableOptions,
  group: string,
  signal: AbortSignal
): Promise<Place[]> {
  const offsets = await groupOffsets(source, group, signal)
  if (offsets.length === 0) {
    const { state } = await describeGroup(source, group, signal)
    if (state === 'Dead') throw new Fault('group-unknown', `cluster ${source.name} has no group ${group}`)
  }
  const isChosen = topicMatcher(topics, exclude)
  const rename = targetNamer(naming)
  const places = offsets
    .filter(({ topic }) => isChosen(topic) && !isInternalName(topic))
    .map((one) => ({ ...one, targetTopic: rename(one.topic) }))
  if (places.length > 0) return places
  const what = `group ${group} has committed no offset on ${source.name} for a topic of mirror ${name}`
  throw new Fault('group-without-offsets', what)
}

function idOf(cluster: Cluster, topic: string): string | undefined {
  return cluster.cached()?.topics.get(topic)?.id
}

function startOf({ targetTopic: topic, partition }: Place) {
  return { topic, partition, timestamp: EARLIEST } as const
}

function endOf({ topic, partition }: Place) {
  return { topic, partition, timestamp: LATEST } as const
}

function keyOf({ topic, partition }: Place): string {
  return tp(topic, partition)
}
