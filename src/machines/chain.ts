import { type AnyActorRef, and, assign, fromPromise, or, sendTo, setup, stateIn } from 'xstate'
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
const noDraft: Draft = { next: -1, bytes: 0, records: 0, files: 0, firstMs: -1, end: -1 }

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

const chainSetup = setup({
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

/** Where a failure leads. A defect has no route: it escalates. */
const routes = <E>(errorOf: (event: E) => unknown) => {
  const params = ({ event }: { event: E }) => ({ error: errorOf(event) })
  const actions = [
    { type: 'keepFault', params },
    { type: 'reportFault', params }
  ] as const
  return [
    { guard: { type: 'isBlocking', params }, target: '#publishBlocked', actions },
    { guard: { type: 'isLosing', params }, target: '#dataLoss', actions },
    { guard: { type: 'isDeadly', params }, target: '#tooManyDead', actions },
    { guard: { type: 'isRetryable', params }, target: '#reopening', actions },
    { guard: { type: 'isKnown', params }, target: '#held', actions }
  ] as const
}
const onError = routes((event: { readonly error: unknown }) => event.error)
const onFault = routes((event: { readonly fault: Fault }) => event.fault)
const endWhenClosing = { guard: 'isClosing', target: '#ended' } as const
const endWhenSettled = { guard: and(['isClosing', 'owesNothing']), target: '#ended' } as const

/** Both are there in every state that asks: `keepOpened` and `keepEntry` (or `takeUnpublished`) came before. */
const entryInput = ({ context }: { context: ChainContext }): EntryInput => ({
  opened: context.opened as OpenedChain,
  entry: context.entry as Entry
})

const intake = chainSetup.createStateConfig({
  initial: 'empty',
  on: {
    'chunk.grew': [
      {
        guard: { type: 'isCaughtUp', params: ({ event }) => ({ draft: event }) },
        actions: [{ type: 'keepDraft', params: ({ event }) => ({ draft: event }) }, 'recover', 'reportGrew']
      },
      { actions: [{ type: 'keepDraft', params: ({ event }) => ({ draft: event }) }, 'reportGrew'] }
    ]
  },
  states: {
    /** Nothing was taken in since the last cut. */
    empty: { always: { guard: 'hasGrown', target: 'growing' } },
    growing: {
      always: { guard: 'isClosing', target: 'ripe' },
      on: { 'chunk.filled': 'ripe', rotate: 'ripe' },
      after: { age: [{ guard: 'isWorthwhile', target: 'ripe' }, { target: 'small' }] }
    },
    /** Old enough, but not worth its files yet: what comes in the meantime goes into them. */
    small: {
      always: { guard: or(['isClosing', 'isWorthwhile']), target: 'ripe' },
      on: { 'chunk.filled': 'ripe', rotate: 'ripe' },
      after: { furtherAge: 'ripe' }
    },
    ripe: { always: [{ guard: 'isIdle', target: 'cutting' }, { target: 'waiting' }] },
    /** The last chunk is still on its way: fetching pauses, so that one slow partition does not eat the credits. */
    waiting: {
      entry: 'reportThrottled',
      exit: 'reportRelaxed',
      always: { guard: 'isIdle', target: 'cutting' }
    },
    cutting: { entry: 'cut', on: { 'chunk.cut': 'empty' } }
  }
})

const prepareCut = chainSetup.createStateConfig({
  on: {
    'chunk.cut': {
      target: 'preparing',
      actions: { type: 'keepChunk', params: ({ event }) => ({ chunk: event.chunk }) }
    }
  }
}).on

const pipeline = chainSetup.createStateConfig({
  initial: 'resuming',
  states: {
    resuming: {
      always: [
        { guard: 'hasUnpublished', target: 'publishing', actions: 'takeUnpublished' },
        { target: 'idle' }
      ]
    },
    idle: { on: prepareCut, after: { patience: 'looking' } },
    /** Nothing was committed for a while: a rewind, or another writer, would not be met otherwise. */
    looking: {
      on: prepareCut,
      invoke: {
        src: 'look',
        input: ({ context }) => ({ opened: context.opened as OpenedChain }),
        onDone: [
          { guard: { type: 'isEnd', params: ({ event }) => ({ isEnd: event.output }) }, target: 'idle' },
          { target: '#reopening', actions: ['countLoss', 'reportLost'] }
        ],
        onError
      }
    },
    preparing: {
      invoke: {
        src: 'prepare',
        input: ({ context }) => ({ opened: context.opened as OpenedChain, chunk: context.chunk as Chunk }),
        onDone: {
          target: 'committing',
          actions: { type: 'keepEntry', params: ({ event }) => ({ entry: event.output }) }
        },
        onError
      }
    },
    /** A failure here leaves it open whether the entry stands: nothing is discarded, reopening tells. */
    committing: {
      entry: 'owe',
      invoke: {
        src: 'commit',
        input: entryInput,
        onDone: [
          {
            guard: { type: 'hasWon', params: ({ event }) => ({ outcome: event.output }) },
            target: 'publishing',
            actions: 'advance'
          },
          { target: '#discarding', actions: ['countLoss', 'settleDebt', 'reportLost'] }
        ],
        onError
      }
    },
    publishing: {
      invoke: {
        src: 'publish',
        input: entryInput,
        onDone: 'heading',
        onError: [
          {
            guard: { type: 'isGone', params: ({ event }) => event },
            target: 'repairing',
            actions: [
              { type: 'keepFault', params: ({ event }) => event },
              { type: 'reportFault', params: ({ event }) => event }
            ]
          },
          ...onError
        ]
      }
    },
    /** Whatever came of it, the log says what there is to publish now. */
    repairing: { invoke: { src: 'repair', input: entryInput, onDone: '#reopening', onError } },
    heading: {
      invoke: {
        src: 'head',
        input: entryInput,
        onDone: {
          target: 'idle',
          actions: [
            'reportAdvanced',
            'keepEnd',
            'recover',
            'settleDebt',
            'settle',
            'forgetChunk',
            'forgetEntry'
          ]
        },
        onError
      }
    }
  }
})

/**
 * One chain of the commit log: one topic-partition on its way into a store.
 *
 *     work   opening ─▶ running ─▶ (lost) discarding ─▶ reopening ─▶ opening …
 *     intake     empty ─▶ growing ─▶ (old, but small) small ─▶ (full, too old, asked) ripe ─▶ cutting ─▶ empty …
 *     pipeline   idle ─▶ preparing ─▶ committing ─▶ publishing ─▶ heading ─▶ idle …
 *                                                      └─▶ (gone) repairing ─▶ reopening
 *
 * The next chunk grows while the last one is on its way. The order is the promise: an entry is committed when the entry
 * before it is published and the head says so; nothing is published that was not committed; and nothing is discarded
 * that an entry may name. Every failure takes one path: let go of everything, open the chain anew, go on from there.
 */
export const chainMachine = chainSetup.createMachine({
  id: 'chain',
  context: ({ input }) => ({
    ...input,
    opened: undefined,
    position: -1,
    draft: noDraft,
    chunk: undefined,
    chunkFirstMs: -1,
    entry: undefined,
    fault: undefined,
    failures: 0,
    kept: undefined,
    owes: false
  }),
  type: 'parallel',
  invoke: {
    src: 'builder',
    id: 'builder',
    input: ({ context }) => ({ topic: context.topic, partition: context.partition })
  },
  on: {
    // Slices of an assignment that is over go to the builder too: it returns their credits.
    'records.sliced': { actions: { type: 'append', params: ({ event }) => ({ slice: event.slice }) } }
  },
  states: {
    life: {
      initial: 'open',
      states: {
        open: { on: { drain: { target: 'closing', actions: ['closeBuilder', 'reportClosed'] } } },
        closing: { type: 'final' }
      }
    },
    work: {
      initial: 'opening',
      states: {
        opening: {
          always: endWhenSettled,
          invoke: {
            src: 'open',
            input: ({ context }) => context,
            onDone: {
              target: 'running',
              actions: { type: 'keepOpened', params: ({ event }) => ({ opened: event.output }) }
            },
            onError
          }
        },
        running: {
          type: 'parallel',
          entry: ['begin', 'reportOpened'],
          exit: ['halt', 'settle', 'forgetChunk', 'forgetDraft', 'reportClosed'],
          always: { guard: and(['isClosing', 'isEmpty', 'isIdle']), target: '#ended' },
          on: { 'builder.faulted': onFault, 'fetch.faulted': onFault },
          states: { intake, pipeline }
        },
        /** Another writer's entry stands where ours would have: our bytes are garbage, and only ours. */
        discarding: {
          id: 'discarding',
          invoke: {
            src: 'discard',
            input: entryInput,
            onDone: 'reopening',
            onError: [{ guard: { type: 'isKnown', params: ({ event }) => event }, target: 'reopening' }]
          },
          exit: 'forgetEntry'
        },
        reopening: {
          id: 'reopening',
          entry: 'forgetEntry',
          always: endWhenSettled,
          after: { backoff: 'opening' }
        },
        publishBlocked: {
          id: 'publishBlocked',
          entry: 'forgetEntry',
          always: endWhenClosing,
          after: { patience: 'opening' }
        },
        dataLoss: {
          id: 'dataLoss',
          entry: 'forgetEntry',
          always: endWhenClosing,
          invoke: {
            src: 'measure',
            input: ({ context }) => context,
            onDone: { actions: { type: 'keepRange', params: ({ event }) => ({ range: event.output }) } },
            // The loss is told without its exact range then, and measured again at the next try.
            onError: [{ guard: { type: 'isKnown', params: ({ event }) => event }, actions: [] }]
          },
          after: { patience: 'opening' }
        },
        /** More dead letters than anybody wants: nothing of the chunk is kept until the limit or the columns are changed. */
        tooManyDead: {
          id: 'tooManyDead',
          entry: 'forgetEntry',
          always: endWhenClosing,
          after: { patience: 'opening' }
        },
        held: { id: 'held', entry: 'forgetEntry', always: endWhenClosing, after: { patience: 'opening' } },
        ended: { id: 'ended', type: 'final', entry: 'reportEnded' }
      }
    }
  }
})
