import { fromPromise, type SnapshotFrom } from 'xstate'
import { hashVersion } from '../actors/kafka/assignor.ts'
import { fetcher } from '../actors/kafka/fetcher.ts'
import { createMembership } from '../actors/kafka/membership.ts'
import { createMeter } from '../actors/meter.ts'
import type { Claim } from '../actors/mirror/position-records.ts'
import { type ClusterIds, prepareMirror } from '../actors/mirror/prepare.ts'
import { Restorer } from '../actors/mirror/restore.ts'
import { MirrorStats } from '../actors/mirror/stats.ts'
import { createTopology } from '../actors/mirror/topology.ts'
import { createWriter } from '../actors/mirror/writer.ts'
import { topicMatcher } from '../config/topics.ts'
import type { MirrorConfig } from '../config.ts'
import { Fault } from '../errors.ts'
import { type MirrorInput, mirrorMachine } from '../machines/mirror.ts'
import { shardMachine } from '../machines/shard.ts'
import { describeMirror } from './mirror-view.ts'
import type { Role, RoleContext } from './role.ts'

/**
 * The mirror: topics of one cluster → the same topics of another, byte for byte, exactly once.
 *
 *     source ─fetcher─▶ slices ─shard─▶ writer ─one transaction─▶ target topics
 *                                            └──────────────────▶ <prefix>.positions.internal
 *
 * A position becomes durable in the transaction that makes its data visible, never before and never after. Which shards
 * are ours is the group's word; before a shard's transactional id is taken, a heartbeat must prove that it still is.
 */
export function createMirror(context: RoleContext, instance: string): Role {
  const config = sectionOf(context, instance)
  const prefix = `${context.config.name}.mirror.${instance}`
  const stats = new MirrorStats()
  return {
    role: 'mirror',
    instance,
    logic: bindMirror(context, config, prefix, stats),
    input: {
      shard: {
        commitIntervalMs: config.commitIntervalMs,
        commitBytes: config.commitBytes,
        quarantineMinMs: config.quarantineMinMs,
        quarantineMaxMs: config.quarantineMaxMs
      },
      membership: {
        group: prefix,
        // One lane per process so far.
        instanceId: `${context.workerId}-mirror-${instance}-0`,
        shards: config.shards,
        sessionTimeoutMs: config.sessionTimeoutMs
      },
      // A slice's bytes are not looked at after its lease was given back: the writer waits for its sockets.
      fetcher: {
        cluster: context.cluster(config.from),
        budget: context.budget,
        reuseBuffers: true,
        maxWaitMs: FETCH_WAIT_MS
      },
      flow: { limitBytes: context.budget.limitBytes }
    } satisfies MirrorInput,
    describe: (snapshot) => describeMirror(snapshot as MirrorSnapshot, stats) // The supervisor gives back what `logic` made.
  }
}

/** A shard that comes back joins the next fetch: it should not wait long for one that has nothing to bring. */
const FETCH_WAIT_MS = 100

export type MirrorSnapshot = SnapshotFrom<typeof mirrorMachine>

function bindMirror(context: RoleContext, config: MirrorConfig, prefix: string, stats: MirrorStats) {
  const source = context.cluster(config.from)
  const target = context.cluster(config.to)
  const positionsTopic = `${prefix}.positions.internal`
  const { logic: membership, confirm } = createMembership({ cluster: source })
  let ids: ClusterIds = { source: undefined, target: undefined }
  const claim = (): Claim => ({ ...ids, shards: config.shards, hash: hashVersion, naming: 'identity' })
  const { transactionTimeoutMs } = config
  const restorer = new Restorer({ target, positionsTopic, transactionTimeoutMs, claim })
  const writer = createWriter({
    target,
    prefix,
    positionsTopic,
    transactionTimeoutMs,
    confirm,
    restorer,
    claim,
    stats,
    log: context.log,
    now: context.now
  })
  return mirrorMachine.provide({
    actors: {
      prepare: fromPromise<void>(async ({ signal }) => {
        stats.reset()
        const { shards, replication } = config
        ids = await prepareMirror({ source, target, positionsTopic, shards, replication }, signal)
      }),
      topology: createTopology({
        source,
        target,
        isChosen: topicMatcher(config.topics, config.exclude),
        shards: config.shards,
        replication: config.replication,
        refreshIntervalMs: config.refreshIntervalMs,
        now: context.now
      }),
      meter: createMeter(context.budget),
      fetcher,
      membership,
      shard: shardMachine.provide({ actors: { writer } })
    }
  })
}

function sectionOf(context: RoleContext, instance: string): MirrorConfig {
  const config = context.config.mirror[instance]
  if (config === undefined) throw new Fault('config-invalid', `the config has no [mirror.${instance}]`)
  return config
}
