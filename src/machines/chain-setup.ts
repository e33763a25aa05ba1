import { type AnyActorRef, assign, fromPromise, sendTo, setup, stateIn } from 'xstate'
import type { FetchedSlice } from '../actors/kafka/fetcher.ts'
import type { BuilderCommand, BuilderInput, BuilderReport, Draft } from '../actors/store/builder.ts'
import type { OpenedChain } from '../actors/store/chain.ts'
import type { Chunk } from '../actors/store/chunk.ts'
import type { Entry } from '../actors/store/entry.ts'
import { fromTask } from '../actors/task.ts'
import { type Fault, toFault } from '../errors.ts'
import type {
  ChainEvent,
  ChainInput,
  ChainReport,
  EntryInput,
  LogRange,
  PrepareInput,
  ReportBody
} from './chain-events.ts'

export interface ChainContext extends ChainInput {
  readonly opened: OpenedChain | undefined
  /** The end of the last entry known to be committed, -1 before the chain was opened. */
  readonly position: number
  readonly draft: Draft
  /** On its way into the store. */
  readonly chunk: Chunk | undefined
  /** Kafka timestamp of its first record, -1 when it has none. */
  readonly chunkFirstMs: number
  readonly entry: Entry | undefined
  /** Why it is not running, or was not the last time. */
  readonly fault: Fault | undefined
  /** Failures since an entry was last committed or all was caught up. */
  readonly failures: number
  readonly kept: LogRange | undefined
  /** An entry of ours may be committed and is not known to be published: a drain waits for it. */
  readonly owes: boolean
}

const unbound = () => Promise.reject(new Error('actor not provided'))
export const noDraft: Draft = {
  ...{ next: -1, bytes: 0, memoryBytes: 0 },
  ...{ records: 0, files: 0, firstMs: -1, end: -1 }
}

/** The store will not publish, or what is gone cannot be made anew: an operator has to look. */
const BLOCKING = new Set(['publish-blocked', 'prepared-gone'])
/** Kafka no longer has what the chain needs next, or what its last entry was made of. */
const LOSING = new Set(['offset-out-of-range', 'log-diverged', 'records-lost'])

/** `unknown` is a defect of ours: it escalates to the supervisor instead of looping here. */
const isDefect = (fault: Fault) => fault.code === 'unknown'

/** Every report names its chain. */
const named = ({ topic, partition, topicId }: ChainInput, body: ReportBody): ChainReport => ({
  ...body,
  topic,
  partition,
  topicId
})

/** Reports go to the sink, and nowhere where there is none. */
const sink = ({ self }: { readonly self: AnyActorRef }): AnyActorRef => self._parent ?? self

/** What the states of a chain (`chain.ts`) are made of: its actors, guards, actions and delays. */
export const chainSetup = setup({
  types: {
    context: {} as ChainContext,
    events: {} as ChainEvent,
    input: {} as ChainInput
  },
  actors: {
    builder: fromTask<void, BuilderInput, BuilderCommand, BuilderReport>(unbound),
    /** Finds the end of the chain; writes its genesis when it has none. */
    open: fromPromise<OpenedChain, ChainInput>(unbound),
    /** Uploads the chunk's files invisibly; when that fails it discards what it has uploaded. */
    prepare: fromPromise<Entry, PrepareInput>(unbound),
    commit: fromPromise<'won' | 'lost', EntryInput>(unbound),
    publish: fromPromise<void, EntryInput>(unbound),
    /** Prepares the entry's files anew from Kafka, where they are proven gone, and says so in the log. */
    repair: fromPromise<void, EntryInput>(unbound),
    head: fromPromise<void, EntryInput>(unbound),
    discard: fromPromise<void, EntryInput>(unbound),
    /** Whether the chain still ends where it is known to. */
    look: fromPromise<boolean, Pick<EntryInput, 'opened'>>(unbound),
    measure: fromPromise<LogRange, ChainInput>(unbound)
  },
  guards: {
    isClosing: stateIn({ life: 'closing' }),
    isIdle: stateIn({ work: { running: { pipeline: 'idle' } } }),
    isEmpty: stateIn({ work: { running: { intake: 'empty' } } }),
    hasUnpublished: ({ context }) => context.opened?.last !== undefined && !context.opened.published,
    owesNothing: ({ context }) => !context.owes,
    hasWon: (_, params: { outcome: 'won' | 'lost' }) => params.outcome === 'won',
    /** All there is to read is published: whatever went wrong before is over. */
    isCaughtUp: ({ context }, params: { draft: Draft }) =>
      context.entry === undefined &&
      context.chunk === undefined &&
      params.draft.next === context.position &&
      params.draft.end <= context.position,
    isWorthwhile: ({ context }) => context.draft.bytes >= context.rotateBytesMin,
    hasGrown: ({ context }) => context.draft.next > (context.chunk?.to ?? context.position),
    isEnd: (_, params: { isEnd: boolean }) => params.isEnd,
    isGone: (_, params: { error: unknown }) => toFault(params.error).code === 'prepared-gone',
    isBlocking: (_, params: { error: unknown }) => BLOCKING.has(toFault(params.error).code),
    isLosing: (_, params: { error: unknown }) => LOSING.has(toFault(params.error).code),
    isDeadly: (_, params: { error: unknown }) => toFault(params.error).code === 'dead-letters-exceeded',
    isRetryable: (_, params: { error: unknown }) => toFault(params.error).retryable,
    isKnown: (_, params: { error: unknown }) => !isDefect(toFault(params.error))
  },
  actions: {
    keepOpened: assign((_, params: { opened: OpenedChain }) => ({
      opened: params.opened,
      position: params.opened.end,
      draft: { ...noDraft, next: params.opened.end },
      kept: undefined,
      owes: !params.opened.published
    })),
    /** The entry is published and the head says so: the next one is committed behind it. */
    keepEnd: assign({
      opened: ({ context: { opened, entry } }) =>
        opened && entry ? { ...opened, end: entry.to, last: entry, published: true } : opened
    }),
    owe: assign({ owes: true }),
    settleDebt: assign({ owes: false }),
    takeUnpublished: assign({ entry: ({ context }) => context.opened?.last }),
    keepDraft: assign({ draft: (_, params: { draft: Draft }) => params.draft }),
    keepChunk: assign({
      chunk: (_, params: { chunk: Chunk }) => params.chunk,
      chunkFirstMs: ({ context }) => context.draft.firstMs,
      draft: ({ context }, { chunk }) => ({ ...noDraft, next: chunk.to, end: context.draft.end })
    }),
    keepEntry: assign({ entry: (_, params: { entry: Entry }) => params.entry }),
    keepRange: assign({ kept: (_, params: { range: LogRange }) => params.range }),
    keepFault: assign({
      fault: (_, params: { error: unknown }) => toFault(params.error),
      failures: ({ context }) => context.failures + 1
    }),
    countLoss: assign({ failures: ({ context }) => context.failures + 1 }),
    /** The chain has moved on: what failed before is no longer a row of failures. */
    advance: assign({ position: ({ context }) => context.entry?.to ?? context.position, failures: 0 }),
    recover: assign({ fault: undefined, failures: 0 }),
    forgetEntry: assign({ entry: undefined }),
    forgetChunk: assign({ chunk: undefined }),
    forgetDraft: assign({ draft: ({ context }) => ({ ...noDraft, end: context.draft.end }) }),
    begin: sendTo('builder', ({ context }) => ({ type: 'begin', position: context.position })),
    append: sendTo('builder', (_, params: { slice: FetchedSlice }) => ({
      type: 'append',
      slice: params.slice
    })),
    cut: sendTo('builder', { type: 'cut' }),
    closeBuilder: sendTo('builder', { type: 'close' }),
    halt: sendTo('builder', { type: 'halt' }),
    settle: sendTo('builder', ({ context }) => ({ type: 'settle', id: context.chunk?.id ?? -1 })),
    reportOpened: sendTo(sink, ({ context }) =>
      named(context, {
        type: 'chain.opened',
        position: context.position,
        leaderEpoch: context.opened?.last?.leaderEpoch ?? -1
      })
    ),
    reportClosed: sendTo(sink, ({ context }) => named(context, { type: 'chain.closed' })),
    reportGrew: sendTo(sink, ({ context }) => named(context, { type: 'chain.grew' })),
    reportEnded: sendTo(sink, ({ context }) => named(context, { type: 'chain.ended' })),
    reportThrottled: sendTo(sink, ({ context }) => named(context, { type: 'chain.throttled' })),
    reportRelaxed: sendTo(sink, ({ context }) => named(context, { type: 'chain.relaxed' })),
    reportAdvanced: sendTo(sink, ({ context }) =>
      named(context, { type: 'chain.advanced', entry: context.entry as Entry })
    ),
    reportLost: sendTo(sink, ({ context }) => named(context, { type: 'chain.lost' })),
    reportFault: sendTo(sink, ({ context }, params: { error: unknown }) =>
      named(context, { type: 'chain.faulted', fault: toFault(params.error) })
    )
  },
  delays: {
    age: ({ context }) => context.rotateAgeMs,
    furtherAge: ({ context }) => Math.max(0, context.rotateAgeMaxMs - context.rotateAgeMs),
    backoff: ({ context }) =>
      Math.min(context.backoffMaxMs, context.backoffMinMs * 2 ** Math.min(context.failures - 1, 20)),
    patience: ({ context }) => context.patienceMs
  }
})
