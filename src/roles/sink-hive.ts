import { fromPromise, type SnapshotFrom } from 'xstate'
import { readBookmark, writeBookmark } from '../actors/hive/bookmark.ts'
import { ensureTable, registerPartitions } from '../actors/hive/ensure.ts'
import { withHive } from '../actors/hive/session.ts'
import { type LogPiece, partitionsOf, readPiece } from '../actors/hive/survey.ts'
import type { HiveTable } from '../actors/hive/table.ts'
import type { Store } from '../actors/store/store.ts'
import type { HiveConfig } from '../config.ts'
import type { Fault } from '../errors.ts'
import {
  type AddInput,
  type HiveInput,
  hiveMachine,
  type NoteInput,
  type SurveyInput
} from '../machines/hive.ts'
import type { RoleView } from './role.ts'

export interface HiveBinding {
  readonly config: HiveConfig
  readonly table: HiveTable
  readonly store: Store
  /** Unique per call. */
  readonly nonce: () => string
  readonly onFault: (fault: Fault) => void
}

/** Entries of a log that are read before their partitions are added. */
const PIECE_ENTRIES = 1_000
const BACKOFF_MIN_MS = 1_000
const BACKOFF_MAX_MS = 60_000

/** The Hive machine with its actors: HiveServer2, and the log in the store. */
export function createHive({ config, table, store, nonce, onFault }: HiveBinding) {
  return hiveMachine.provide({
    actors: {
      ensure: fromPromise<string>(({ signal }) =>
        withHive(config, (hive) => ensureTable(hive, table, nonce()), signal)
      ),
      survey: fromPromise<LogPiece, SurveyInput>(async ({ input, signal }) => {
        const { chain, incarnation } = input
        const from = input.from ?? (await readBookmark(store, table.sink, chain, incarnation, signal))
        return readPiece(store, table, { chain, from, limit: PIECE_ENTRIES }, signal)
      }),
      add: fromPromise<void, AddInput>(({ input, signal }) =>
        withHive(
          config,
          (hive) => registerPartitions(hive, table, input.incarnation, input.partitions),
          signal
        )
      ),
      note: fromPromise<void, NoteInput>(async ({ input, signal }) => {
        for (const { read, ...chain } of input.bookmarks) {
          const bookmark = read && { ...read, incarnation: input.incarnation }
          if (bookmark) await writeBookmark(store, table.sink, chain, bookmark, signal)
        }
      })
    },
    actions: { logFault: (_, fault) => onFault(fault) }
  })
}

export function hiveInput(table: HiveTable): HiveInput {
  return {
    backoffMinMs: BACKOFF_MIN_MS,
    backoffMaxMs: BACKOFF_MAX_MS,
    partitionsOf: (files) => partitionsOf(table, files)
  }
}

/** What the Hive machine of a sink, as a snapshot of its child, says to people. Hive does not make a sink unready. */
export function describeHive(child: unknown): Pick<RoleView, 'counters' | 'notes'> {
  // The supervisor gives back what `createHive` made; before the sink runs there is none.
  const snapshot = child as SnapshotFrom<typeof hiveMachine> | undefined
  if (snapshot?.context.input === undefined) return { counters: {}, notes: [] }
  const { chains, counters, fault } = snapshot.context
  const behind = Object.values(chains).filter(({ life }) => life === 'behind').length
  const waits = behind === 0 ? '' : `; ${behind} partitions to be read from the log`
  return {
    counters: { ...counters },
    notes: fault === undefined ? [] : [`hive ${snapshot.value}: ${fault.code}: ${fault.message}${waits}`]
  }
}
