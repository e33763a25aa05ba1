import { fromPromise, type SnapshotFrom } from 'xstate'
import { fetcher } from '../actors/kafka/fetcher.ts'
import { createMembership } from '../actors/kafka/membership.ts'
import { createMeter } from '../actors/meter.ts'
import { currentTopic, mirrorPrefix, positionsTopicOf } from '../actors/mirror/current-topic.ts'
import { Lags } from '../actors/mirror/lags.ts'
import { OffsetBook } from '../actors/mirror/offsets/book.ts'
import { createOffsets, offsetsTopicOf } from '../actors/mirror/offsets/offsets.ts'
import { claimOf } from '../actors/mirror/position-records.ts'
import { type ClusterIds, prepareMirror } from '../actors/mirror/prepare.ts'
import { Restorer } from '../actors/mirror/restore.ts'
import { MirrorStats } from '../actors/mirror/stats.ts'
import { type ScopeOptions, Scopes } from '../actors/mirror/topics/scopes.ts'
import { createTopology } from '../actors/mirror/topology.ts'
import { createWriter } from '../actors/mirror/writer.ts'
import { rulesFor } from '../config/rules.ts'
import type { MirrorConfig } from '../config.ts'
import { Fault } from '../errors.ts'
import type { LaneConfig } from '../lanes/order.ts'
import { type MirrorInput, mirrorMachine } from '../machines/mirror.ts'
import { shardMachine } from '../machines/shard.ts'
import { createMirrorLanes } from './mirror-lanes.ts'
import { describeMirror, type MirrorRecord } from './mirror-view.ts'
import { type Role, type RoleContext, roleNames } from './role.ts'

/**
 * The mirror: topics of one cluster → their copies on another, byte for byte, exactly once.
 *
 *     source ─fetcher─▶ slices ─shard─▶ writer ─one transaction─▶ target topics
 *                                            └──────────────────▶ <prefix>.positions.internal
 *
 * A position becomes durable in the transaction that makes its data visible, never before and never after. Which shards
 * are ours is the group's word; before a shard's transactional id is taken, a heartbeat must prove that it still is.
 */
export function createMirror(context: RoleContext, instance: string): Role {
  const config = sectionOf(context, instance)
  return config.lanes > 1
    ? createMirrorLanes(context, instance, config)
    : createMirrorLane(context, instance, 0)
}

/** The same as one member of its group; lanes of one mirror, threads or not, share nothing. */
export function createMirrorLane(context: LaneContext, instance: string, lane: number): Role {
  const config = sectionOf(context, instance)
  const prefixOf = (name: string) => mirrorPrefix(context.config.name, name)
  const prefix = prefixOf(instance)
  const { now } = context
  const lags = new Lags(now)
  const record = { stats: new MirrorStats((positions) => lags.committed(positions)), lags, now }
  return {
    role: 'mirror',
    instance,
    logic: bindMirror(context, config, { instance, prefixOf }, record),
    input: {
      shard: {
        delivery: config.delivery,
        commitIntervalMs: config.commitIntervalMs,
        commitIntervalMaxMs: Math.max(config.commitIntervalMs, config.transactionTimeoutMs / 3),
        commitBytes: config.commitBytes,
        quarantineMinMs: config.quarantineMinMs,
        quarantineMaxMs: config.quarantineMaxMs
      },
      membership: {
        group: prefix,
        instanceId: `${context.workerId}-mirror-${instance}-${lane}`,
        shards: config.shards,
        sessionTimeoutMs: config.sessionTimeoutMs
      },
      // A slice's bytes are not looked at after its lease was given back: the writer waits for its sockets.
      fetcher: {
        cluster: context.cluster(config.from),
        budget: context.budget,
        reuseBuffers: true,
        maxWaitMs: FETCH_WAIT_MS,
        heldMax: HELD_SLICES,
        onFetched: (slices) => lags.fetched(slices)
      },
      flow: { limitBytes: context.budget.limitBytes }
    } satisfies MirrorInput,
    describe: (snapshot) => describeMirror(snapshot as MirrorSnapshot, record) // The supervisor gives back what `logic` made.
  }
}

/** A shard that comes back joins the next fetch: it should not wait long for one that has nothing to bring. */
const FETCH_WAIT_MS = 100
/** One on its way to the target, one that waits for it, and one that just came: more would only be memory. */
const HELD_SLICES = 3

export type MirrorSnapshot = SnapshotFrom<typeof mirrorMachine>

/** What a mirror takes of its context. */
export type LaneContext = Omit<RoleContext, 'config'> & { readonly config: LaneConfig }

type Names = Pick<ScopeOptions, 'instance' | 'prefixOf'>

function bindMirror(context: LaneContext, config: MirrorConfig, names: Names, { stats, lags }: MirrorRecord) {
  const source = context.cluster(config.from)
  const target = context.cluster(config.to)
  const prefix = names.prefixOf(names.instance)
  /** Another one after a reshard; known when the mirror is prepared. */
  let positionsTopic = positionsTopicOf(prefix, 0)
  const { logic: membership, confirm } = createMembership({ cluster: source })
  let ids: ClusterIds = { source: undefined, target: undefined }
  const claim = () => claimOf(config, ids)
  const { transactionTimeoutMs } = config
  const restorer = new Restorer({
    target,
    get positionsTopic() {
      return positionsTopic
    },
    transactionTimeoutMs,
    claim
  })
  const { cluster, now } = context
  const { mirror: mirrors } = context.config
  const scopes = new Scopes({
    ...names,
    mirrors,
    cluster,
    source,
    target,
    get positionsTopic() {
      return positionsTopic
    },
    now
  })
  const rulesOf = rulesFor(config.rules)
  const book = new OffsetBook({ isTracked: (topic) => rulesOf(topic).partitioning === 'preserve' })
  const writer = createWriter({
    target,
    prefix,
    get positionsTopic() {
      return positionsTopic
    },
    transactionTimeoutMs,
    delivery: config.delivery,
    confirm,
    restorer,
    deadLetters: { topic: `${prefix}.dead.internal`, mirror: prefix, now },
    replication: config.replication,
    claim,
    stats,
    book,
    log: context.log,
    now
  })
  return mirrorMachine.provide({
    actors: {
      prepare: fromPromise<void>(async ({ signal }) => {
        stats.reset()
        lags.reset()
        positionsTopic = (await currentTopic(target, prefix, signal)).topic
        const place = { source, target, prefix, positionsTopic }
        ids = await prepareMirror({ ...config, ...place, scopes, log: context.log, now }, signal)
      }),
      topology: createTopology({
        ...config,
        rulesOf,
        source,
        target,
        planner: (from, signal) => scopes.planner(from, signal),
        onSeen: (partitions) => {
          lags.looked(partitions)
          stats.looked(partitions)
        },
        now
      }),
      meter: createMeter(context.budget),
      offsets: createOffsets({
        config: config.offsets,
        source,
        target,
        book,
        offsetsTopic: offsetsTopicOf(prefix),
        replication: config.replication,
        isWhole: (topic) => rulesOf(topic).filter === undefined,
        isOwn: (group) => roleNames.some((role) => group.startsWith(`${context.config.name}.${role}.`)),
        confirm,
        log: context.log,
        now
      }),
      fetcher,
      membership,
      shard: shardMachine.provide({ actors: { writer } })
    }
  })
}

function sectionOf(context: LaneContext, instance: string): MirrorConfig {
  const config = context.config.mirror[instance]
  if (config === undefined) throw new Fault('config-invalid', `the config has no [mirror.${instance}]`)
  return config
}
