import type { Logger } from 'pino'
import type { AnyActorLogic } from 'xstate'
import type { ByteBudget } from '../actors/budget.ts'
import type { Cluster } from '../actors/kafka/cluster.ts'
import type { Config } from '../config.ts'

export const roleNames = ['ingest', 'mirror', 'hdfs-sink', 's3-sink', 'redshift-loader'] as const
export type RoleName = (typeof roleNames)[number]

/** What the worker lends to every role instance. Links and tasks belong to the role; these outlive its restarts. */
export interface RoleContext {
  readonly config: Config
  /** A child logger that already names role and instance. */
  readonly log: Logger
  /** This instance's share of the process's byte budget. */
  readonly budget: ByteBudget
  /** A Kafka cluster by its name in the config; one object per cluster and process. */
  readonly cluster: (name: string) => Cluster
  /** Stable id of this worker, kept in `data_dir`: part of `group.instance.id`. */
  readonly workerId: string
  /** Wall clock in milliseconds. */
  readonly now: () => number
  /** A uniform number in [0, 1), for jitter and nonces. */
  readonly random: () => number
}

/**
 * A role instance, ready to be started (and started again) by its supervisor.
 *
 * The logic is a machine with these manners: `{ type: 'drain' }` makes it stop intake, flush, commit, leave, and end as
 * `done`; an error that it cannot recover from escalates with its code intact; when it is stopped, its invoked tasks are
 * aborted and destroy their own sockets.
 */
export interface Role {
  readonly role: RoleName
  /** The instance's name in the config, for example `cloud` of `[mirror.cloud]`. */
  readonly instance: string
  readonly logic: AnyActorLogic
  readonly input: unknown
  /** What a snapshot of `logic` says to people and monitors. Pure and total. */
  readonly describe: (snapshot: unknown) => RoleView
}

export type DrainEvent = { readonly type: 'drain' }

/** One role as `/api/state`, the metrics and the page show it. */
export interface RoleView {
  /** The machine's state, as words joined by dots, for example `running.flowing`. */
  readonly state: string
  /** Ready: group joined, positions restored, nothing held that the operator has to see. */
  readonly ready: boolean
  /** Why it is not ready, in a few words each and a few of them, where the state alone does not say it. */
  readonly reasons?: readonly string[]
  /** Backpressure: `flowing`, `throttled` or `paused`. */
  readonly flow: FlowState
  readonly partitions: readonly PartitionView[]
  /** How many of its shards are in which state, where it has such. */
  readonly shards?: Readonly<Record<string, number>>
  /** Data files that are being written, where it writes such. */
  readonly filesOpen?: number
  /** Monotone counters since the start of this role, named as in metrics (`recordsRead`, `transactionsCommitted`). */
  readonly counters: Readonly<Record<string, number>>
  /** What a person should read first: the newest fault and since when. */
  readonly notes: readonly string[]
}

export type FlowState = 'flowing' | 'throttled' | 'paused'

export interface PartitionView {
  readonly topic: string
  readonly partition: number
  /** For example `copying`, `held`, `filling`, `publish-blocked`. */
  readonly state: string
  /** Next offset to read, as durably known. */
  readonly position: number
  /** High watermark or last stable offset as last seen; -1 before the first answer. */
  readonly end: number
  /** Where the log ends, open transactions included, where `end` does not count them; -1 when unknown. */
  readonly highWatermark?: number
  /** Age of the oldest record between position and end, in milliseconds; 0 when there is none. */
  readonly lagMs?: number
  /** Why it is in that state, when that is not plain. */
  readonly reason?: string
}
