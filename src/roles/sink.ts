import { createHash } from 'node:crypto'
import { fromPromise, type SnapshotFrom } from 'xstate'
import { encoderOf } from '../actors/files/table-file.ts'
import { createCommitter } from '../actors/kafka/committer.ts'
import { fetcher } from '../actors/kafka/fetcher.ts'
import { createMembership } from '../actors/kafka/membership.ts'
import { createSinkMeter } from '../actors/meter.ts'
import { rowsIdentity, sinkColumns } from '../actors/rows/open.ts'
import { createDeadTopic } from '../actors/store/dead-topic.ts'
import { createKeeper } from '../actors/store/keeper.ts'
import { OpenFiles } from '../actors/store/open-files.ts'
import type { Store } from '../actors/store/store.ts'
import { createTopology } from '../actors/store/topology.ts'
import type { SinkConfig } from '../config.ts'
import { toFault } from '../errors.ts'
import { sinkMachine } from '../machines/sink.ts'
import type { SinkInput } from '../machines/sink-events.ts'
import type { Role, RoleContext, RoleName } from './role.ts'
import { createChain } from './sink-chain.ts'
import { createHive, type HiveBinding, hiveInput } from './sink-hive.ts'
import { describeSink } from './sink-view.ts'

export interface SinkRoleOptions {
  readonly role: Extract<RoleName, 'hdfs-sink' | 's3-sink'>
  readonly instance: string
  readonly config: SinkConfig
  readonly store: Store
  /** The table that shows the files: HDFS has one. */
  readonly hive?: Pick<HiveBinding, 'config' | 'table'> | undefined
}

const COMMIT_INTERVAL_MS = 1_000
const BACKOFF_MIN_MS = 200
/** A store that comes back is used again so soon. */
const BACKOFF_MAX_MS = 5_000
const PATIENCE_MS = 30_000
const FETCH_BYTES_MAX = 4 * 1024 * 1024
/** A fetch asks for this part of the budget at most, so that the chunks being built leave room for it. */
const FETCH_SHARE = 8

/**
 * A sink: Kafka → Parquet files in a store, each offset in exactly one entry of one chain.
 *
 *     Kafka ─fetcher─▶ slices ─▶ chain of each topic-partition:
 *         builder   aborted records dropped, JSON flattened, Parquet per directory, dead letters beside
 *         prepare   files uploaded, invisible
 *         commit    one create-only entry in the log: from here on they count
 *         publish   files visible; then the head says so; then the offset goes to Kafka's group, for lag tools
 *
 * The position is the end of the chain's log in the store. It moves only by an entry whose bytes are all there, and it is
 * read back from the log after any doubt.
 */
export function createSink(context: RoleContext, options: SinkRoleOptions): Role {
  const { role, instance, config, store, hive } = options
  const { budget, log } = context
  const cluster = context.cluster(config.cluster)
  const sink = `${context.config.name}.${instance}`
  const random = () => nonce(context.random)
  const openFiles = new OpenFiles(config.filesOpen)
  const onFailure = (error: unknown) => {
    const { code, message } = toFault(error)
    log.warn({ code }, message)
  }
  const logic = sinkMachine.provide({
    actors: {
      probe: fromPromise<void>(({ signal }) => store.probe(signal)),
      fetcher,
      meter: createSinkMeter(budget, openFiles),
      membership: createMembership({ cluster }).logic,
      committer: createCommitter({
        cluster,
        intervalMs: COMMIT_INTERVAL_MS,
        onFailure: (error) => log.debug({ err: toFault(error) }, 'group offsets not committed')
      }),
      topology: createTopology({
        ...{ cluster, store, sink, topics: config.topics, shards: config.shards },
        refreshIntervalMs: config.refreshIntervalMs,
        except: config.deadLetters.topic,
        newTopicId: random,
        onFailure
      }),
      chain: createChain({
        ...{ cluster, store, sink, config, budget, openFiles },
        fingerprints: fingerprintsOf(config),
        now: context.now,
        nonce: random
      }),
      keeper: createKeeper({
        store,
        sink,
        ttlMs: config.ttlMs,
        now: context.now,
        random: context.random,
        onFailure
      }),
      ...(config.deadLetters.topic !== undefined && {
        letters: createDeadTopic({
          ...{ cluster, store, budget, sink, now: context.now, onFailure },
          topic: config.deadLetters.topic,
          replication: config.deadLetters.replication
        })
      }),
      ...(hive && { hive: createHive({ ...hive, store, nonce: random, onFault: onFailure }) })
    },
    actions: {
      logFault: (_, { fault, where }) => log.warn({ code: fault.code, partition: where }, fault.message)
    }
  })
  const fetchBytes = Math.max(1, Math.min(FETCH_BYTES_MAX, Math.floor(budget.limitBytes / FETCH_SHARE)))
  const group = `${context.config.name}.${role}.${instance}`
  const input: SinkInput = {
    chain: {
      rotateAgeMs: config.rotateAgeMs,
      rotateAgeMaxMs: config.rotateAgeMaxMs,
      rotateBytesMin: config.rotateBytesMin,
      backoffMinMs: BACKOFF_MIN_MS,
      backoffMaxMs: BACKOFF_MAX_MS,
      patienceMs: PATIENCE_MS
    },
    membership: {
      group,
      instanceId: `${context.workerId}.${role}.${instance}`,
      shards: config.shards,
      sessionTimeoutMs: config.sessionTimeoutMs
    },
    // A slice is given back when the last of its records is in a file, copied.
    fetcher: {
      cluster,
      budget,
      reuseBuffers: true,
      maxBytes: fetchBytes,
      partitionMaxBytes: Math.ceil(fetchBytes / FETCH_SHARE)
    },
    flow: { limitBytes: budget.limitBytes },
    filesOpenMax: openFiles.limit,
    ...(hive && { hive: hiveInput(hive.table) })
  }
  return {
    role,
    instance,
    logic,
    input,
    // The supervisor gives back what `logic` made.
    describe: (snapshot) => describeSink(snapshot as SnapshotFrom<typeof sinkMachine>, context.now())
  }
}

/** 64 random bits as lower-case hex. */
function nonce(random: () => number): string {
  const half = () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
  return half() + half()
}

function fingerprintsOf(config: SinkConfig) {
  const { template, timeColumn, timeWindow, format } = config
  return {
    schema: fingerprint(sinkColumns(config)),
    config: fingerprint({ ...rowsIdentity(config), template, timeColumn, timeWindow, format }),
    encoder: encoderOf(format)
  }
}

function fingerprint(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
}
