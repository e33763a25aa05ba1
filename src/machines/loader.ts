import { assign, fromPromise, sendTo, setup, stateIn } from 'xstate'
import type { FoundChain } from '../actors/store/discover.ts'
import { fromTask } from '../actors/task.ts'
import { type Fault, toFault } from '../errors.ts'
import {
  type Batch,
  batchesOf,
  busy,
  type Chain,
  type Chains,
  discovered,
  type Finding,
  loaded,
  positioned,
  refused,
  surveyed,
  toSurvey,
  withPosition
} from './loader-chains.ts'

/**
 * The commit log of a sink -> a table of a warehouse.
 *
 * Rows and the position they lead to are committed in one transaction, and the position in the warehouse is the only one:
 * this machine repeats what the warehouse said. Whatever goes wrong between sending a transaction and its answer,
 * `doubting` forgets everything in flight; then a new session reads the positions again.
 *
 *     connecting → discovering → positioning → surveying → choosing → loading → choosing → … → idle → surveying
 *                       any retryable fault → doubting → connecting
 */
export interface LoaderInput {
  readonly pollIntervalMs: number
  /** Entries of one transaction, at most. */
  readonly batchEntries: number
  /** Surveys between two discoveries: listing the chains costs more than reading the next entry, and new ones are rare. */
  readonly surveysPerDiscovery: number
}

export interface LoaderContext extends LoaderInput {
  readonly chains: Chains
  /** Batches of the last survey without an answer; the first one is being loaded. */
  readonly queue: readonly Batch[]
  /** `behind`: another survey will find something, so it is made at once. */
  readonly outlook: 'caught-up' | 'behind'
  /** Surveys since the chains were last discovered. */
  readonly surveys: number
  /** Faults in a row, without a load or a round that went well in between. */
  readonly failures: number
  /** The newest fault, until a round has ended well. */
  readonly fault: Fault | undefined
  readonly flow: 'flowing' | 'throttled'
  readonly counters: LoaderCounters
}

/** What one transaction wrote. */
export interface LoadTotals {
  readonly rowsLoaded: number
  readonly filesLoaded: number
  readonly bytesLoaded: number
  /** Values in which U+0000 became U+FFFD. */
  readonly nulReplaced: number
  /** Values that were not UTF-8, with U+FFFD for what could not be read. */
  readonly invalidUtf8Replaced: number
}

export interface LoaderCounters extends LoadTotals {
  readonly entriesLoaded: number
  readonly transactionsCommitted: number
  /** Batches that another loader had loaded or was loading. */
  readonly batchesYielded: number
  readonly batchesRefused: number
  readonly faults: number
}

export type SessionCommand =
  | { readonly type: 'read.positions'; readonly chains: readonly Pick<Chain, 'chain' | 'start'>[] }
  | { readonly type: 'load'; readonly batch: Batch }

/** What the warehouse session reports. One `batch.*` answers one `load`; a session with a fault ends instead. */
export type SessionReport =
  | { readonly type: 'session.ready' }
  | { readonly type: 'positions.read'; readonly positions: ReadonlyMap<string, number> }
  | { readonly type: 'batch.loaded'; readonly totals: LoadTotals }
  /** The warehouse says another position; nothing was written. */
  | { readonly type: 'batch.moved'; readonly position: number }
  /** Another session holds the position; nothing was written. */
  | { readonly type: 'batch.busy' }
  /** Rows or files are to blame; nothing was written. */
  | { readonly type: 'batch.refused'; readonly fault: Fault }
  | { readonly type: 'flow.changed'; readonly flow: 'flowing' | 'throttled' }

export type LoaderEvent = SessionReport | { readonly type: 'drain' }

/** Where to read the log: at most `limit` entries of each chain from its position on. */
export type SurveyInput = readonly (Pick<Chain, 'chain' | 'id'> & {
  readonly position: number
  readonly limit: number
})[]

const BACKOFF_MIN_MS = 250
const BACKOFF_MAX_MS = 30_000

const NO_BATCH: Batch = { chain: '', from: 0, to: 0, entries: [], rest: 'none' }

const NO_COUNTS: LoaderCounters = {
  rowsLoaded: 0,
  filesLoaded: 0,
  bytesLoaded: 0,
  nulReplaced: 0,
  invalidUtf8Replaced: 0,
  entriesLoaded: 0,
  transactionsCommitted: 0,
  batchesYielded: 0,
  batchesRefused: 0,
  faults: 0
}

const unbound = () => Promise.reject(new Error('actor not provided'))

export const loaderMachine = setup({
  types: {
    context: {} as LoaderContext,
    events: {} as LoaderEvent,
    input: {} as LoaderInput
  },
  actors: {
    session: fromTask<void, undefined, SessionCommand, SessionReport>(unbound),
    discover: fromPromise<readonly FoundChain[]>(unbound),
    survey: fromPromise<readonly Finding[], SurveyInput>(unbound)
  },
  guards: {
    isRetryable: (_, fault: Fault) => fault.retryable,
    isFinishing: stateIn({ working: 'finishing' }),
    hasBatch: ({ context }) => context.queue.length > 0,
    isCaughtUp: ({ context }) => context.outlook === 'caught-up',
    isDiscoveryDue: ({ context }) =>
      context.surveys >= context.surveysPerDiscovery || context.chains.length === 0
  },
  actions: {
    noteFault: assign(({ context }, fault: Fault) => ({
      fault,
      failures: context.failures + 1,
      counters: plus(context.counters, { faults: 1 })
    })),
    forgetFlight: assign({ queue: [], outlook: 'caught-up', flow: 'flowing' }),
    endRound: assign({ failures: 0, fault: undefined }),
    addChains: assign(({ context }, found: readonly FoundChain[]) => ({
      chains: discovered(context.chains, found),
      surveys: 0
    })),
    readPositions: sendTo('session', ({ context }) => ({
      type: 'read.positions',
      chains: context.chains.map(({ chain, start }) => ({ chain, start }))
    })),
    takePositions: assign({
      chains: ({ context }, positions: ReadonlyMap<string, number>) => positioned(context.chains, positions)
    }),
    takeFindings: assign(({ context }, findings: readonly Finding[]) => ({
      chains: surveyed(context.chains, findings),
      queue: batchesOf(context.chains, findings),
      outlook: 'caught-up' as const,
      surveys: context.surveys + 1
    })),
    load: sendTo('session', ({ context }) => ({ type: 'load', batch: headOf(context) })),
    noteLoaded: assign(({ context }, totals: LoadTotals) => {
      const batch = headOf(context)
      const counts = { ...totals, entriesLoaded: batch.entries.length, transactionsCommitted: 1 }
      const chains = loaded(context.chains, batch)
      return { failures: 0, ...answered(context, chains, counts, batch.rest === 'some') }
    }),
    noteMoved: assign(({ context }, position: number) => {
      const chains = withPosition(context.chains, headOf(context).chain, position)
      return answered(context, chains, { batchesYielded: 1 }, true)
    }),
    noteBusy: assign(({ context }) =>
      answered(context, busy(context.chains, headOf(context).chain), { batchesYielded: 1 }, false)
    ),
    noteRefused: assign(({ context }, fault: Fault) => {
      const batch = headOf(context)
      const chains = refused(context.chains, batch, fault)
      // Several entries are tried again at once, one by one.
      return { fault, ...answered(context, chains, { batchesRefused: 1 }, batch.entries.length > 1) }
    }),
    noteFlow: assign({ flow: (_, flow: 'flowing' | 'throttled') => flow }),
    /** Bound by the role; a fault that escalates is logged by the supervisor. */
    logFault: (_, _fault: Fault) => {}
  },
  delays: {
    poll: ({ context }) => context.pollIntervalMs,
    // Without an end: a warehouse may be away for hours, and the worker's other roles go on meanwhile.
    backoff: ({ context }) =>
      Math.min(BACKOFF_MIN_MS * 2 ** Math.min(context.failures - 1, 20), BACKOFF_MAX_MS)
  }
}).createMachine({
  id: 'loader',
  context: ({ input }) => ({
    ...input,
    chains: [],
    queue: [],
    outlook: 'caught-up',
    surveys: 0,
    failures: 0,
    fault: undefined,
    flow: 'flowing',
    counters: NO_COUNTS
  }),
  initial: 'working',
  states: {
    working: {
      invoke: {
        src: 'session',
        id: 'session',
        onError: [
          {
            // The transaction's outcome stands in the warehouse; the next start reads it there.
            guard: 'isFinishing',
            target: 'drained',
            actions: [
              { type: 'noteFault', params: ({ event }) => toFault(event.error) },
              { type: 'logFault', params: ({ event }) => toFault(event.error) }
            ]
          },
          {
            guard: { type: 'isRetryable', params: ({ event }) => toFault(event.error) },
            target: 'doubting',
            actions: [
              { type: 'noteFault', params: ({ event }) => toFault(event.error) },
              { type: 'logFault', params: ({ event }) => toFault(event.error) }
            ]
          } // No transition left: the error escalates.
        ]
      },
      on: {
        drain: 'drained',
        'flow.changed': { actions: { type: 'noteFlow', params: ({ event }) => event.flow } }
      },
      initial: 'connecting',
      states: {
        connecting: { on: { 'session.ready': 'discovering' } },
        discovering: {
          invoke: {
            src: 'discover',
            id: 'discover',
            onDone: {
              target: 'positioning',
              actions: { type: 'addChains', params: ({ event }) => event.output }
            },
            onError: {
              guard: { type: 'isRetryable', params: ({ event }) => toFault(event.error) },
              target: '#loader.doubting',
              actions: [
                { type: 'noteFault', params: ({ event }) => toFault(event.error) },
                { type: 'logFault', params: ({ event }) => toFault(event.error) }
              ]
            }
          }
        },
        positioning: {
          entry: 'readPositions',
          on: {
            'positions.read': {
              target: 'surveying',
              actions: { type: 'takePositions', params: ({ event }) => event.positions }
            }
          }
        },
        surveying: {
          invoke: {
            src: 'survey',
            id: 'survey',
            input: ({ context }) => surveyInput(context),
            onDone: {
              target: 'choosing',
              actions: { type: 'takeFindings', params: ({ event }) => event.output }
            },
            onError: {
              guard: { type: 'isRetryable', params: ({ event }) => toFault(event.error) },
              target: '#loader.doubting',
              actions: [
                { type: 'noteFault', params: ({ event }) => toFault(event.error) },
                { type: 'logFault', params: ({ event }) => toFault(event.error) }
              ]
            }
          }
        },
        choosing: {
          always: [
            { guard: 'hasBatch', target: 'loading' },
            { guard: 'isCaughtUp', target: 'idle' },
            { guard: 'isDiscoveryDue', target: 'discovering' },
            { target: 'surveying' }
          ]
        },
        loading: {
          entry: 'load',
          on: {
            'batch.loaded': {
              target: 'choosing',
              actions: { type: 'noteLoaded', params: ({ event }) => event.totals }
            },
            'batch.moved': {
              target: 'choosing',
              actions: { type: 'noteMoved', params: ({ event }) => event.position }
            },
            'batch.busy': { target: 'choosing', actions: 'noteBusy' },
            'batch.refused': {
              target: 'choosing',
              actions: [
                { type: 'noteRefused', params: ({ event }) => event.fault },
                { type: 'logFault', params: ({ event }) => event.fault }
              ]
            },
            drain: 'finishing'
          }
        },
        // The transaction that was running when the drain came.
        finishing: {
          on: {
            'batch.loaded': {
              target: '#loader.drained',
              actions: { type: 'noteLoaded', params: ({ event }) => event.totals }
            },
            'batch.moved': {
              target: '#loader.drained',
              actions: { type: 'noteMoved', params: ({ event }) => event.position }
            },
            'batch.busy': { target: '#loader.drained', actions: 'noteBusy' },
            'batch.refused': {
              target: '#loader.drained',
              actions: [
                { type: 'noteRefused', params: ({ event }) => event.fault },
                { type: 'logFault', params: ({ event }) => event.fault }
              ]
            },
            drain: {}
          }
        },
        idle: {
          entry: 'endRound',
          after: { poll: [{ guard: 'isDiscoveryDue', target: 'discovering' }, { target: 'surveying' }] }
        }
      }
    },
    doubting: {
      entry: 'forgetFlight',
      on: { drain: 'drained' },
      after: { backoff: 'working' }
    },
    drained: { type: 'final' }
  }
})

/** The batch that is being loaded. Actions are total: without one they work on a batch of no chain. */
function headOf({ queue }: LoaderContext): Batch {
  return queue[0] ?? NO_BATCH
}

function surveyInput({ chains, surveys, batchEntries }: LoaderContext): SurveyInput {
  return toSurvey(chains, surveys === 0).flatMap(({ chain, id, position, pace }) =>
    position === undefined ? [] : [{ chain, id, position, limit: pace === 'single' ? 1 : batchEntries }]
  )
}

function answered(
  { queue, outlook, counters }: LoaderContext,
  chains: Chains,
  counts: Partial<LoaderCounters>,
  isBehind: boolean
): Pick<LoaderContext, 'chains' | 'queue' | 'outlook' | 'counters'> {
  return {
    chains,
    queue: queue.slice(1),
    outlook: isBehind ? 'behind' : outlook,
    counters: plus(counters, counts)
  }
}

function plus(counters: LoaderCounters, more: Partial<LoaderCounters>): LoaderCounters {
  const sum = (name: keyof LoaderCounters) => counters[name] + (more[name] ?? 0)
  return {
    rowsLoaded: sum('rowsLoaded'),
    filesLoaded: sum('filesLoaded'),
    bytesLoaded: sum('bytesLoaded'),
    nulReplaced: sum('nulReplaced'),
    invalidUtf8Replaced: sum('invalidUtf8Replaced'),
    entriesLoaded: sum('entriesLoaded'),
    transactionsCommitted: sum('transactionsCommitted'),
    batchesYielded: sum('batchesYielded'),
    batchesRefused: sum('batchesRefused'),
    faults: sum('faults')
  }
}
