import { assign, fromPromise, sendParent, setup } from 'xstate'
import type { ChainName, LogPosition } from '../actors/hive/bookmark.ts'
import type { LogPiece } from '../actors/hive/survey.ts'
import type { HivePartition } from '../actors/hive/table.ts'
import type { Entry, EntryFile } from '../actors/store/entry.ts'
import { type Fault, toFault } from '../errors.ts'
import type { ReportBody } from './chain-events.ts'
import {
  advanced,
  due,
  firstBehind,
  follows,
  forgotten,
  type HiveChain,
  type HiveChains,
  noted,
  opened,
  surveyed
} from './hive-chains.ts'

/**
 * The published files of a sink → partitions of its external table in Hive, off the path of the data: nothing waits for
 * Hive, and nothing that Hive says ends the sink.
 *
 *     ensuring → following ⇄ adding | surveying | noting;   any fault → waiting → ensuring
 *
 * What is published while all is well comes as `chain.advanced`; what was published before, or while Hive was away, is
 * read from the log, from each chain's bookmark on. A bookmark moves only when the partitions of all files before it are
 * in the table; it names the table's incarnation, so that a table which was dropped is filled anew.
 */
export interface HiveInput {
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  /** The partitions of published files, each once. Pure and total. */
  readonly partitionsOf: (files: readonly EntryFile[]) => readonly HivePartition[]
}

export interface HiveContext {
  /** Undefined: the sink has no table. */
  readonly input: HiveInput | undefined
  /** Of the table; undefined before Hive has told it. */
  readonly incarnation: string | undefined
  readonly chains: HiveChains
  /** The chain whose log is being read, as it was when that began. */
  readonly asked: HiveChain | undefined
  /** The chains whose bookmarks are being written, as they were. */
  readonly noting: readonly HiveChain[]
  /** By location: what is still to be added, and what is being added. */
  readonly pending: Partitions
  readonly adding: Partitions
  /** Locations that are in the table, as far as they are remembered. */
  readonly known: ReadonlySet<string>
  /** `ended`: nothing more will be published. */
  readonly intake: 'open' | 'ended'
  /** Faults in a row. */
  readonly failures: number
  readonly fault: Fault | undefined
  readonly counters: HiveCounters
}

export type Partitions = Readonly<Record<string, HivePartition>>

/** Monotone since the start of the role. */
export interface HiveCounters {
  readonly hivePartitionsAdded: number
  readonly hiveFaults: number
}

type Published = ChainName & Extract<ReportBody, { type: 'chain.opened' | 'chain.advanced' }>
export type HiveEvent = Published | { readonly type: 'finish' }

export type HiveReport = {
  /** Everything that was published is in Hive, or left to the next start. */
  readonly type: 'hive.settled'
}

export interface SurveyInput {
  readonly chain: ChainName
  /** Undefined: from the chain's bookmark. */
  readonly from: LogPosition | undefined
  readonly incarnation: string
}

export interface AddInput {
  readonly incarnation: string
  readonly partitions: readonly HivePartition[]
}

export interface NoteInput {
  readonly incarnation: string
  readonly bookmarks: readonly Pick<HiveChain, 'topic' | 'topicId' | 'partition' | 'read'>[]
}

/** Entries that come while so much waits are read from the log later: Hive may be away for days. */
const PENDING_MAX = 500
/** Old partitions get no new files: to remember more of them saves no statement. */
const KNOWN_MAX = 20_000
const unbound = () => Promise.reject(new Error('actor not provided'))

export const hiveMachine = setup({
  types: {
    context: {} as HiveContext,
    events: {} as HiveEvent,
    input: {} as HiveInput | undefined
  },
  actors: {
    /** Creates the table, or adds the columns that it lacks; resolves with its incarnation. */
    ensure: fromPromise<string>(unbound),
    /** Reads a piece of a chain's log. */
    survey: fromPromise<LogPiece, SurveyInput>(unbound),
    add: fromPromise<void, AddInput>(unbound),
    note: fromPromise<void, NoteInput>(unbound)
  },
  guards: {
    isOff: ({ context }) => context.input === undefined,
    isEnded: ({ context }) => context.intake === 'ended',
    hasPending: ({ context }) => Object.keys(context.pending).length > 0,
    isBehind: ({ context }) => firstBehind(context.chains) !== undefined,
    isNoteDue: ({ context }) => due(context.chains, context.intake === 'ended').length > 0
  },
  actions: {
    /** Bound by the role: a machine has no log. */
    logFault: (_, _fault: Fault) => {},
    takeOpened: assign({ chains: ({ context }, chain: ChainName) => opened(context.chains, chain) }),
    takeAdvanced: assign(({ context }, { chain, entry }: { chain: ChainName; entry: Entry }) => {
      const { chains, input, pending } = context
      const hasRoom = Object.keys(pending).length < PENDING_MAX
      if (!input || !hasRoom || !follows(chains, chain, entry)) return { chains: opened(chains, chain) }
      return {
        chains: advanced(chains, chain, entry),
        pending: withNew(context, input.partitionsOf(entry.files))
      }
    }),
    endIntake: assign({ intake: 'ended' }),
    takeIncarnation: assign(({ context }, incarnation: string) => {
      if (incarnation === context.incarnation) return { fault: undefined }
      const fault = undefined
      return { fault, incarnation, chains: forgotten(context.chains), pending: {}, known: new Set<string>() }
    }),
    beginAdding: assign(({ context }) => ({ adding: context.pending, pending: {} })),
    noteAdded: assign(({ context: { adding, known, counters } }) => {
      const locations = Object.keys(adding)
      const before = known.size + locations.length > KNOWN_MAX ? [] : known
      return {
        adding: {},
        known: new Set([...before, ...locations]),
        counters: { ...counters, hivePartitionsAdded: counters.hivePartitionsAdded + locations.length }
      }
    }),
    beginSurvey: assign({ asked: ({ context }) => firstBehind(context.chains) }),
    takeSurvey: assign(({ context }, piece: LogPiece) => {
      if (context.asked === undefined) return {}
      return {
        chains: surveyed(context.chains, context.asked, piece),
        pending: withNew(context, piece.partitions)
      }
    }),
    beginNoting: assign({ noting: ({ context }) => due(context.chains, context.intake === 'ended') }),
    takeNoted: assign({ chains: ({ context }) => noted(context.chains, context.noting) }),
    clearFault: assign({ failures: 0, fault: undefined }),
    keepFault: assign(({ context }, fault: Fault) => ({
      fault,
      failures: context.failures + 1,
      pending: { ...context.adding, ...context.pending },
      adding: {},
      counters: { ...context.counters, hiveFaults: context.counters.hiveFaults + 1 }
    })),
    tellSettled: sendParent({ type: 'hive.settled' } satisfies HiveReport)
  },
  delays: {
    backoff: ({ context: { input, failures } }) =>
      Math.min((input?.backoffMinMs ?? 0) * 2 ** Math.min(failures - 1, 20), input?.backoffMaxMs ?? 0)
  }
}).createMachine({
  id: 'hive',
  context: ({ input }) => ({
    ...{ input, incarnation: undefined, chains: {}, asked: undefined, noting: [], pending: {}, adding: {} },
    ...{ known: new Set(), intake: 'open', failures: 0, fault: undefined },
    counters: { hivePartitionsAdded: 0, hiveFaults: 0 }
  }),
  on: {
    'chain.opened': { actions: { type: 'takeOpened', params: ({ event }) => event } },
    'chain.advanced': {
      actions: { type: 'takeAdvanced', params: ({ event }) => ({ chain: event, entry: event.entry }) }
    },
    finish: { actions: 'endIntake' }
  },
  initial: 'beginning',
  states: {
    beginning: { always: [{ guard: 'isOff', target: 'off' }, { target: 'ensuring' }] },
    /** Nothing is kept of what comes. */
    off: { on: { 'chain.opened': {}, 'chain.advanced': {}, finish: 'settled' } },
    ensuring: {
      invoke: {
        src: 'ensure',
        onDone: {
          target: 'following',
          actions: { type: 'takeIncarnation', params: ({ event }) => event.output }
        },
        onError: { target: 'waiting', actions: failing() }
      }
    },
    /** New files first: people wait for those. */
    following: {
      always: [
        { guard: 'hasPending', target: 'adding' },
        { guard: 'isBehind', target: 'surveying' },
        { guard: 'isNoteDue', target: 'noting' },
        { guard: 'isEnded', target: 'settled' }
      ]
    },
    adding: {
      entry: 'beginAdding',
      invoke: {
        src: 'add',
        input: ({ context }) => ({
          incarnation: context.incarnation ?? '',
          partitions: Object.values(context.adding)
        }),
        onDone: { target: 'following', actions: ['noteAdded', 'clearFault'] },
        onError: { target: 'waiting', actions: failing() }
      }
    },
    surveying: {
      entry: 'beginSurvey',
      invoke: {
        src: 'survey',
        input: ({ context: { asked, incarnation } }) => ({
          chain: asked ?? { topic: '', topicId: '', partition: 0 },
          from: asked?.read,
          incarnation: incarnation ?? ''
        }),
        onDone: {
          target: 'following',
          actions: [{ type: 'takeSurvey', params: ({ event }) => event.output }, 'clearFault']
        },
        onError: { target: 'waiting', actions: failing() }
      }
    },
    noting: {
      entry: 'beginNoting',
      invoke: {
        src: 'note',
        input: ({ context }) => ({ incarnation: context.incarnation ?? '', bookmarks: context.noting }),
        onDone: { target: 'following', actions: ['takeNoted', 'clearFault'] },
        onError: { target: 'waiting', actions: failing() }
      }
    },
    /** Once nothing more is published, the rest is left to the next start: the sink must not wait for Hive. */
    waiting: {
      always: { guard: 'isEnded', target: 'settled' },
      after: { backoff: 'ensuring' }
    },
    settled: { entry: 'tellSettled' }
  }
})

/** What is in the table already needs no statement. */
function withNew({ pending, known, adding }: HiveContext, found: readonly HivePartition[]): Partitions {
  const added = found.filter(({ location }) => !known.has(location) && adding[location] === undefined)
  return { ...pending, ...Object.fromEntries(added.map((partition) => [partition.location, partition])) }
}

function failing() {
  return [
    { type: 'keepFault', params: ({ event }: { event: { error: unknown } }) => toFault(event.error) },
    { type: 'logFault', params: ({ event }: { event: { error: unknown } }) => toFault(event.error) }
  ] as const
}
