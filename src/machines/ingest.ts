import { and, assign, fromPromise, not, or, sendTo, setup, stateIn } from 'xstate'
import type { Cursor, FeedChunk, FeedInput, FeedReport, FeedStatus } from '../actors/feed/feed.ts'
import { fromTask } from '../actors/task.ts'
import { type Fault, toFault } from '../errors.ts'
import { type FlowEvent, flowMachine } from './flow.ts'
import { isDoubt } from './verdict.ts'

/**
 * Events from one source into one topic, exactly once.
 *
 * A transaction holds the events, the source's cursor after them, the ids by which their repeats are known, and the
 * lines that are no events. On any doubt this machine leaves `live`: writer and feed are stopped, and the next ones start
 * from the cursor and the ids that are durable. Nothing is taken over from the attempt before.
 */
export interface IngestInput {
  readonly commitIntervalMs: number
  readonly batchBytes: number
  readonly flow: { readonly limitBytes: number }
}

/** From the machine to its writer, which answers each with one report. */
export type IngestCommand =
  | { readonly type: 'take'; readonly chunk: FeedChunk }
  /** Closes the batch in hand and adds its partitions to the transaction, which opens it. */
  | { readonly type: 'add' }
  | { readonly type: 'produce' }
  | { readonly type: 'commit' }

export type IngestReport =
  | {
      readonly type: 'writer.waiting'
      readonly on: 'markersPending' | 'hangingTransaction'
      readonly reason: string
    }
  | { readonly type: 'writer.fenced' }
  | { readonly type: 'writer.restored'; readonly cursor: Cursor | undefined }
  | { readonly type: 'writer.took'; readonly held: Held }
  /** `held` is what has come since the batch was closed. */
  | { readonly type: 'writer.added'; readonly held: Held }
  | { readonly type: 'writer.produced' }
  | { readonly type: 'writer.committed'; readonly cursor: Cursor }

/** What the writer holds that is in no transaction yet. */
export interface Held {
  readonly lines: number
  readonly bytes: number
}

export interface IngestContext extends IngestInput {
  readonly held: Held
  /** Durable cursor. */
  readonly cursor: Cursor | undefined
  readonly feed: FeedStatus | undefined
  /** Recoveries since the last commit. */
  readonly doubts: number
  readonly fault: Fault | undefined
  readonly waitingFor: string
}

export type IngestEvent = { readonly type: 'drain' } | IngestReport | FeedReport | FlowEvent

const BACKOFF_MIN_MS = 50
const BACKOFF_MAX_MS = 5_000
const none: Held = { lines: 0, bytes: 0 }
const unbound = () => Promise.reject(new Error('actor not provided'))

export const ingestMachine = setup({
  types: {
    context: {} as IngestContext,
    events: {} as IngestEvent,
    input: {} as IngestInput
  },
  actors: {
    /** Creates the topics. */
    prepare: fromPromise<void>(unbound),
    /** Fences, restores, then serves the commands until it is stopped. */
    writer: fromTask<void, undefined, IngestCommand, IngestReport>(unbound),
    feed: fromTask<void, FeedInput, never, FeedReport>(unbound),
    meter: fromTask<void, undefined, never, FlowEvent>(unbound),
    flow: flowMachine
  },
  guards: {
    isRetryable: ({ event }) => 'error' in event && toFault(event.error).retryable,
    isDoubt: ({ event }) => 'error' in event && isDoubt(toFault(event.error)),
    hasLines: ({ context }) => context.held.lines > 0,
    isFull: ({ context }) => context.held.bytes >= context.batchBytes,
    isDue: stateIn({ running: { live: { carrying: { clock: 'due' } } } }),
    isClosed: stateIn({ running: { live: { carrying: { intake: 'closed' } } } }),
    isEnded: stateIn({ running: { live: { carrying: { intake: 'ended' } } } })
  },
  actions: {
    tell: sendTo('writer', (_, command: IngestCommand) => command),
    drop: (_, { chunk }: { readonly chunk: FeedChunk }) => chunk.lease.release(),
    hold: assign({ held: (_, { held }: { readonly held: Held }) => held }),
    keepCursor: assign({
      cursor: (_, { cursor }: { readonly cursor: Cursor | undefined }) => cursor,
      waitingFor: ''
    }),
    keepStatus: assign({ feed: (_, { status }: { readonly status: FeedStatus }) => status }),
    keepWaiting: assign({ waitingFor: (_, { reason }: { readonly reason: string }) => reason }),
    keepFault: assign({
      fault: (_, { error }: { readonly error: unknown }) => toFault(error),
      doubts: ({ context }) => context.doubts + 1
    }),
    forgive: assign({ fault: undefined, doubts: 0 }),
    abandon: assign({ held: none, feed: undefined, waitingFor: '' }),
    passToFlow: sendTo('flow', ({ event }) => event)
  },
  delays: {
    commitInterval: ({ context }) => context.commitIntervalMs,
    backoff: ({ context }) => Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(context.doubts - 1, 10))
  }
}).createMachine({
  id: 'ingest',
  context: ({ input }) => ({
    ...input,
    held: none,
    cursor: undefined,
    feed: undefined,
    doubts: 0,
    fault: undefined,
    waitingFor: ''
  }),
  initial: 'running',
  on: { 'feed.chunk': { actions: { type: 'drop', params: ({ event }) => event } } },
  states: {
    running: {
      invoke: [
        { src: 'flow', id: 'flow', input: ({ context }) => context.flow },
        { src: 'meter', id: 'meter' }
      ],
      on: { 'budget.changed': { actions: 'passToFlow' }, drain: 'drained' },
      initial: 'preparing',
      states: {
        preparing: {
          invoke: {
            src: 'prepare',
            onDone: { target: 'live', actions: 'forgive' },
            onError: {
              guard: 'isRetryable',
              target: 'unprepared',
              actions: { type: 'keepFault', params: ({ event }) => event }
            }
          }
        },
        unprepared: { after: { backoff: 'preparing' } },
        live: {
          invoke: {
            src: 'writer',
            id: 'writer',
            // Anything but a doubt has no transition here: it escalates, code intact.
            onError: [
              { guard: and(['isDoubt', 'isClosed']), target: '#ingest.drained' },
              {
                guard: 'isDoubt',
                target: 'backoff',
                actions: { type: 'keepFault', params: ({ event }) => event }
              }
            ]
          },
          exit: 'abandon',
          initial: 'fencing',
          states: {
            fencing: {
              initial: 'asking',
              states: { asking: {}, markersPending: {} },
              on: {
                'writer.waiting': {
                  target: '.markersPending',
                  actions: { type: 'keepWaiting', params: ({ event }) => event }
                },
                'writer.fenced': 'restoring'
              }
            },
            restoring: {
              initial: 'reading',
              states: { reading: {}, hangingTransaction: {} },
              on: {
                'writer.waiting': {
                  target: '.hangingTransaction',
                  actions: { type: 'keepWaiting', params: ({ event }) => event }
                },
                'writer.restored': {
                  target: 'carrying',
                  actions: { type: 'keepCursor', params: ({ event }) => event }
                }
              }
            },
            carrying: {
              type: 'parallel',
              on: {
                'writer.took': { actions: { type: 'hold', params: ({ event }) => event } },
                'feed.status': { actions: { type: 'keepStatus', params: ({ event }) => event } }
              },
              states: {
                intake: {
                  initial: 'open',
                  states: {
                    open: {
                      invoke: {
                        src: 'feed',
                        id: 'feed',
                        input: ({ context }) => ({ cursor: context.cursor }),
                        onError: {
                          guard: 'isRetryable',
                          target: '#ingest.running.backoff',
                          actions: { type: 'keepFault', params: ({ event }) => event }
                        }
                      },
                      on: {
                        'feed.chunk': {
                          actions: {
                            type: 'tell',
                            params: ({ event }) => ({ type: 'take', chunk: event.chunk })
                          }
                        },
                        'feed.ended': 'ended',
                        drain: 'closed'
                      }
                    },
                    /** The source is exhausted. */
                    ended: { on: { drain: 'closed' } },
                    closed: { on: { drain: {} } }
                  }
                },
                /** Runs from the first line that waits for a commit. */
                clock: {
                  initial: 'off',
                  states: {
                    off: { always: { guard: 'hasLines', target: 'ticking' } },
                    ticking: { after: { commitInterval: 'due' } },
                    due: {}
                  },
                  on: { 'writer.committed': '.off' }
                },
                pipeline: {
                  initial: 'idle',
                  states: {
                    idle: {
                      always: [
                        {
                          guard: and(['hasLines', or(['isDue', 'isFull', 'isEnded', 'isClosed'])]),
                          target: 'adding'
                        },
                        { guard: and([not('hasLines'), 'isClosed']), target: '#ingest.drained' },
                        { guard: and([not('hasLines'), 'isEnded']), target: 'finished' }
                      ]
                    },
                    adding: {
                      entry: { type: 'tell', params: { type: 'add' } },
                      on: {
                        'writer.added': {
                          target: 'producing',
                          actions: { type: 'hold', params: ({ event }) => event }
                        }
                      }
                    },
                    producing: {
                      entry: { type: 'tell', params: { type: 'produce' } },
                      on: { 'writer.produced': 'committing' }
                    },
                    committing: {
                      entry: { type: 'tell', params: { type: 'commit' } },
                      on: {
                        'writer.committed': {
                          target: 'idle',
                          actions: [{ type: 'keepCursor', params: ({ event }) => event }, 'forgive']
                        }
                      }
                    },
                    /** Everything that the source had is committed. */
                    finished: {
                      always: [
                        { guard: 'hasLines', target: 'idle' },
                        { guard: 'isClosed', target: '#ingest.drained' }
                      ]
                    }
                  }
                }
              }
            }
          }
        },
        /** Writer and feed are gone; the next ones start from the durable cursor. */
        backoff: { after: { backoff: 'live' } }
      }
    },
    drained: { type: 'final' }
  }
})
