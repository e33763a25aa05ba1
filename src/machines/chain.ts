import { and, or } from 'xstate'
import type { OpenedChain } from '../actors/store/chain.ts'
import type { Chunk } from '../actors/store/chunk.ts'
import type { Entry } from '../actors/store/entry.ts'
import type { Fault } from '../errors.ts'
import type { EntryInput } from './chain-events.ts'
import { type ChainContext, chainSetup, noDraft } from './chain-setup.ts'

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
