import { assign, enqueueActions, type ParameterizedObject, raise, sendTo, setup, stateIn } from 'xstate'
import { type TopicPartition, tp } from '../actors/kafka/topic-partition.ts'
import { fromTask } from '../actors/task.ts'
import { type Fault, toFault } from '../errors.ts'
import { assignment, expectation } from './assignments.ts'
import type { Entry, KeyedStop, Ledger, PartitionSpec, Positions } from './ledger.ts'
import * as ledgers from './ledger.ts'
import type { Marks } from './marks.ts'
import * as marks from './marks.ts'
import type {
  Destination,
  PartitionFailure,
  ShardCommand,
  ShardReport,
  Taken,
  Unacknowledged,
  WriterCommand,
  WriterReport
} from './shard-protocol.ts'
import { isDoubt } from './verdict.ts'

/** The words of the shard machine's chart (`shard.ts`): its context, guards, actions and delays. */
export interface ShardInput extends ShardSettings {
  readonly shard: number
}

export interface ShardSettings {
  /**
   * At least once: what the target has acknowledged is there for good, transactions or not, and positions follow it.
   * After an error copying goes on where the acknowledged part ends; what lies behind may be there twice then.
   */
  readonly delivery: Delivery
  readonly commitIntervalMs: number
  /** The interval is not stretched beyond. */
  readonly commitIntervalMaxMs: number
  readonly commitBytes: number
  readonly quarantineMinMs: number
  readonly quarantineMaxMs: number
}

export type Delivery = 'exactly-once' | 'at-least-once'

export interface ShardContext extends ShardInput {
  readonly ledger: Ledger
  /** As the position topic has them. */
  readonly positions: Positions
  readonly taken: Marks
  readonly sent: Marks
  readonly acked: Marks
  /** Partitions of the target asked into the open transaction and acknowledged, by key. */
  readonly added: Readonly<Record<string, true>>
  /** Recoveries since the last commit: they decide how long the next one waits. */
  readonly doubts: number
  /** How long commits take, in milliseconds: the mean of the last one and of those before, each of half the weight. */
  readonly commitTookMs: number
  readonly fault: Fault | undefined
  /** What a restore waits for, when it does. */
  readonly waitingFor: string
}

export type ShardEvent =
  | ShardCommand
  | WriterReport
  | { readonly type: 'partition.retry'; readonly key: string }

const BACKOFF_MIN_MS = 50
const BACKOFF_MAX_MS = 5_000

/** No more than this part of the time goes into commits, during which nothing is produced. */
const COMMIT_SHARE_MAX = 1 / 4
/** The most that a transaction's bytes are stretched: they have to be produced before the next commit. */
const STRETCH_BYTES_MAX = 4

/**
 * How much longer than configured a transaction lasts: where commits are slow, because the target has many markers to
 * write or is under load, fewer of them are better for both sides.
 */
const stretch = ({ commitTookMs, commitIntervalMs, commitIntervalMaxMs }: ShardContext) =>
  Math.max(1, Math.min(commitTookMs / COMMIT_SHARE_MAX, commitIntervalMaxMs) / commitIntervalMs)

const unbound = () => Promise.reject(new Error('actor not provided'))

/** Doubling from `min` with each repetition after the first. */
const doubling = (repetitions: number, min: number, max: number) =>
  Math.min(max, min * 2 ** Math.min(Math.max(repetitions - 1, 0), 30))

const backoffMs = ({ doubts }: ShardContext) => doubling(doubts, BACKOFF_MIN_MS, BACKOFF_MAX_MS)

const hasBatches = (context: ShardContext) => marks.bytesOf(context.taken) > 0
const hasPassedOver = (context: ShardContext) => Object.values(context.taken).some(({ bytes }) => bytes === 0)
const isUncommitted = (context: ShardContext, key: string) =>
  context.taken[key] !== undefined || context.sent[key] !== undefined || context.acked[key] !== undefined

/** Partitions of the target with batches to produce that are not in the transaction yet. */
export const lacking = ({ taken, added }: ShardContext): Destination[] => {
  const missing = new Map<string, Destination & { readonly sources: TopicPartition[] }>()
  for (const { topic, partition, bytes, targets } of Object.values(taken)) {
    if (bytes === 0) continue
    for (const target of targets) {
      const key = tp(target.topic, target.partition)
      if (added[key] !== undefined) continue
      const known = missing.get(key) ?? { ...target, sources: [] }
      known.sources.push({ topic, partition })
      missing.set(key, known)
    }
  }
  return [...missing.values()]
}

export const reconciled = (
  context: ShardContext,
  { partitions }: { readonly partitions: readonly PartitionSpec[] }
) => ({
  ledger: ledgers.reconcile(context.ledger, partitions, context.positions, (key) =>
    isUncommitted(context, key)
  )
})
export const begun = (context: ShardContext, ledger: Ledger) => ({
  ledger: ledgers.begin(ledger, context.positions)
})

export const nothing = { taken: marks.none, sent: marks.none, acked: marks.none, added: {} } as const

interface RetryLater {
  readonly key: string
  /** In milliseconds. */
  readonly delay: number
  [name: string]: unknown
}

/** The simple actions that the compound ones are made of. */
type Simple =
  | { type: 'report'; params: ShardReport }
  | { type: 'tell'; params: WriterCommand }
  | { type: 'setLedger'; params: { ledger: Ledger } }
  | { type: 'retryLater'; params: RetryLater }
  | { type: 'adopt'; params: { ledger: Ledger } }

/** An action made of the named ones: what it does shows in a pure transition. */
const compound = <Params extends ParameterizedObject['params'] | undefined>(
  collect: Parameters<
    typeof enqueueActions<ShardContext, ShardEvent, Params, ShardEvent, never, Simple, never, never, never>
  >[0]
) => enqueueActions<ShardContext, ShardEvent, Params, ShardEvent, never, Simple, never, never, never>(collect)

export const shard = setup({
  types: {
    context: {} as ShardContext,
    events: {} as ShardEvent,
    input: {} as ShardInput
  },
  actors: {
    /** Confirms the shard's ownership, fences, restores, then serves the commands until it is stopped. */
    writer: fromTask<void, { readonly shard: number }, WriterCommand, WriterReport>(unbound)
  },
  guards: {
    hasPartitions: ({ context }) => Object.keys(context.ledger).length > 0,
    hasBatches: ({ context }) => hasBatches(context),
    lacksPartitions: ({ context }) => lacking(context).length > 0,
    hasUncommitted: ({ context }) =>
      !marks.isEmpty(context.taken) || !marks.isEmpty(context.sent) || !marks.isEmpty(context.acked),
    /** Something may be committed at once: what is acknowledged, or offsets that are only passed over. */
    hasCommittable: ({ context }) => !marks.isEmpty(context.acked) || hasPassedOver(context),
    isFull: ({ context }) =>
      marks.bytesOf(context.acked) >= context.commitBytes * Math.min(stretch(context), STRETCH_BYTES_MAX),
    isDue: stateIn({ live: { copying: { clock: 'due' } } }),
    isClosed: stateIn({ live: { copying: { intake: 'closed' } } }),
    isDoubt: ({ event }) => 'error' in event && isDoubt(toFault(event.error))
  },
  actions: {
    /** Tells the mirror. */
    report: sendTo(
      ({ self }) => self._parent ?? self,
      (_, report: ShardReport) => report
    ),
    tell: sendTo('writer', (_, command: WriterCommand) => command),
    /** Nobody will read these bytes. */
    drop: (_, { slices }: { slices: readonly { readonly lease: { release(): void } }[] }) => {
      for (const { lease } of slices) lease.release()
    },
    /** Keeps a slice's facts; a batch that cannot pass ends its partition. */
    note: assign({
      taken: ({ context }, { taken }: { taken: readonly Taken[] }) => marks.mark(context.taken, taken),
      ledger: ({ context }, { taken }: { taken: readonly Taken[] }) => ledgers.advance(context.ledger, taken)
    }),
    send: assign({ sent: ({ context }) => context.taken, taken: marks.none }),
    acknowledge: assign({
      acked: ({ context }) => marks.join(context.acked, context.sent),
      sent: marks.none
    }),
    acknowledgeSome: assign({
      acked: ({ context }, { but }: { but: readonly Unacknowledged[] }) =>
        marks.join(context.acked, marks.cut(context.sent, but)),
      sent: marks.none
    }),
    keepAdded: assign({
      added: ({ context }, { partitions }: { partitions: readonly TopicPartition[] }) => ({
        ...context.added,
        ...Object.fromEntries(partitions.map(({ topic, partition }) => [tp(topic, partition), true as const]))
      })
    }),
    /** Offsets that are only passed over go with the next commit. */
    passOver: assign({
      acked: ({ context }) => marks.join(context.acked, marks.split(context.taken).empty),
      taken: ({ context }) => marks.split(context.taken).loaded
    }),
    settle: assign({
      positions: ({ context }) =>
        ledgers.withPositions(context.positions, ledgers.positionsOf(context.ledger, context.acked)),
      ledger: ({ context }) => ledgers.forgive(context.ledger, context.acked),
      acked: marks.none,
      added: {},
      doubts: 0,
      fault: undefined,
      waitingFor: ''
    }),
    restore: assign({
      positions: (_, { positions }: { positions: Positions }) => positions,
      waitingFor: ''
    }),
    keepWaiting: assign({ waitingFor: (_, { reason }: { reason: string }) => reason }),
    /** @param isDoubt false when it is known what went wrong: there is nothing to wait for */
    keepFault: assign(({ context }, { error, isDoubt = true }: { error: unknown; isDoubt?: boolean }) => ({
      fault: toFault(error),
      doubts: isDoubt ? context.doubts + 1 : context.doubts
    })),
    learn: assign({
      ledger: ({ context }, { failures }: { failures: readonly PartitionFailure[] }) =>
        ledgers.learn(context.ledger, failures)
    }),
    keepTook: assign({
      commitTookMs: ({ context }, { tookMs }: { tookMs: number }) => (context.commitTookMs + tookMs) / 2
    }),
    /** Drops what was in flight: only what is on the target for good counts from here. */
    abandon: assign(({ context }) => {
      const acked = context.delivery === 'at-least-once' ? context.acked : marks.none
      return { ...nothing, acked, ledger: ledgers.close(context.ledger, acked) }
    }),
    setLedger: assign({ ledger: (_, { ledger }: { ledger: Ledger }) => ledger }),
    retryLater: raise<ShardContext, ShardEvent, ShardEvent, RetryLater>(
      (_, { key }) => ({ type: 'partition.retry', key }),
      { delay: (_, { delay }) => delay }
    ),
    /** Sets the ledger and makes writer and fetcher follow: what became `copying` starts, what ceased to be ends. */
    adopt: compound<{ ledger: Ledger }>(({ context, enqueue }, { ledger }) => {
      enqueue({ type: 'setLedger', params: { ledger } })
      const { started, ended } = ledgers.difference(context.ledger, ledger)
      if (ended.length > 0) {
        enqueue({ type: 'tell', params: { type: 'forget', partitions: ended } })
        enqueue({ type: 'report', params: { type: 'fetch.release', partitions: ended } })
      }
      if (started.length === 0) return
      const from = (key: string, entry: Entry) => ledgers.nextOffset(entry, context.positions, key)
      enqueue({
        type: 'tell',
        params: {
          type: 'expect',
          partitions: started.map(([key, entry]) => expectation(entry, from(key, entry)))
        }
      })
      enqueue({
        type: 'report',
        params: {
          type: 'fetch.assign',
          partitions: started.map(([key, entry]) =>
            assignment(entry, from(key, entry), context.acked[key] ?? context.positions[key])
          )
        }
      })
    }),
    releaseFetches: compound<undefined>(({ context, enqueue }) => {
      const { ended } = ledgers.difference(context.ledger, {})
      if (ended.length > 0) enqueue({ type: 'report', params: { type: 'fetch.release', partitions: ended } })
    }),
    /** Ends partitions with their reasons; the quarantined ones come back by themselves while the shard goes on. */
    halt: compound<{ stops: readonly KeyedStop[] }>(({ context, enqueue }, { stops }) => {
      if (stops.length === 0) return
      const ledger = ledgers.halt(context.ledger, stops)
      enqueue({ type: 'adopt', params: { ledger } })
      for (const { key } of stops) {
        const entry = ledger[key]
        if (entry?.standing !== 'quarantined') continue
        const delay = doubling(entry.failures, context.quarantineMinMs, context.quarantineMaxMs)
        // Not before the others have come back without it and had as long again to commit.
        enqueue({ type: 'retryLater', params: { key, delay: Math.max(delay, 2 * backoffMs(context)) } })
      }
    })
  },
  delays: {
    commitInterval: ({ context }) => context.commitIntervalMs * stretch(context),
    backoff: ({ context }) => backoffMs(context)
  }
})
