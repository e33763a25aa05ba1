import type { SnapshotFrom } from 'xstate'
import type { chainMachine } from '../machines/chain.ts'
import type { sinkMachine } from '../machines/sink.ts'
import type { OwnedChain } from '../machines/sink-chains.ts'
import type { FlowState, PartitionView, RoleView } from './role.ts'
import { describeHive } from './sink-hive.ts'

type ChainSnapshot = SnapshotFrom<typeof chainMachine>

const TROUBLES = new Set(['reopening', 'publish-blocked', 'data-loss', 'too-many-dead', 'held'])

/** What a snapshot of a sink says to people. */
export function describeSink(snapshot: SnapshotFrom<typeof sinkMachine>, nowMs: number): RoleView {
  const { chains, counters, fault, notes, partitions: seen } = snapshot.context
  const children = snapshot.children as Readonly<Record<string, { getSnapshot(): unknown } | undefined>>
  const flow = children.flow?.getSnapshot() as { readonly value: FlowState } | undefined
  const hive = describeHive(children.hive?.getSnapshot())
  const carried = Object.entries(chains).map(([id, chain]) => ({
    chain,
    snapshot: children[id]?.getSnapshot() as ChainSnapshot | undefined
  }))
  const views = carried.map(({ chain, snapshot }) => viewOf(chain, snapshot, nowMs))
  const troubled = views.filter(({ state }) => TROUBLES.has(state))
  const carrying = snapshot.matches({ running: 'carrying' })
  return {
    state: pathOf(snapshot.value),
    ready:
      carrying && seen !== undefined && troubled.length === 0 && views.every(({ position }) => position >= 0),
    flow: flow?.value ?? 'flowing',
    partitions: views.sort((a, b) =>
      a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1
    ),
    filesOpen: carried.reduce((sum, { snapshot }) => sum + (snapshot?.context.draft.files ?? 0), 0),
    counters: { ...counters, ...hive.counters },
    notes: [
      ...(fault === undefined ? [] : [`${fault.code}: ${fault.message}`]),
      ...troubled.map(({ topic, partition, reason }) => `${topic}-${partition}: ${reason ?? 'in trouble'}`),
      ...hive.notes,
      ...notes
    ]
  }
}

function viewOf(
  { topic, partition }: OwnedChain,
  snapshot: ChainSnapshot | undefined,
  nowMs: number
): PartitionView {
  if (snapshot === undefined) return { topic, partition, state: 'opening', position: -1, end: -1 }
  const { position, draft } = snapshot.context
  const [reason, lagMs] = [reasonOf(snapshot), ageOf(snapshot, nowMs)]
  return {
    ...{ topic, partition, state: stateOf(snapshot), position, end: draft.end },
    ...(lagMs !== undefined && { lagMs }),
    ...(reason !== undefined && { reason })
  }
}

/** Of the oldest record that was read and is not published, by its Kafka timestamp; undefined when that is not known. */
function ageOf(snapshot: ChainSnapshot, nowMs: number): number | undefined {
  const { position, draft, chunk, chunkFirstMs } = snapshot.context
  const firstMs = chunk === undefined ? draft.firstMs : chunkFirstMs
  if (firstMs >= 0) return Math.max(0, nowMs - firstMs)
  return position >= 0 && draft.end >= 0 && draft.end <= position ? 0 : undefined
}

/** The step its last chunk is at, or whether the next one is being built. */
function stateOf(snapshot: ChainSnapshot): string {
  const { work } = snapshot.value as { readonly work: string | { readonly running: RunningValue } }
  if (typeof work === 'string') return dashed(work)
  const { intake, pipeline } = work.running
  if (pipeline !== 'idle') return pipeline
  return intake === 'empty' ? 'idle' : 'filling'
}

interface RunningValue {
  readonly intake: string
  readonly pipeline: string
}

function reasonOf(snapshot: ChainSnapshot): string | undefined {
  const { fault, kept, position } = snapshot.context
  if (fault === undefined) return undefined
  // What an entry was made of that can be published no more is told by the fault itself.
  const isNext = fault.code !== 'records-lost' && snapshot.matches({ work: 'dataLoss' })
  if (kept === undefined || !isNext) return `${fault.code}: ${fault.message}`
  const { logStart, logEnd } = kept
  const lost = position < logStart ? `[${position}, ${logStart})` : `[${logEnd}, ${position})`
  return `offsets ${lost} are not in Kafka any more (${fault.code})`
}

/** `publishBlocked` → `publish-blocked`. */
function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** `{ running: 'carrying' }` → `running.carrying`. */
function pathOf(value: unknown): string {
  if (typeof value === 'string') return value
  const [entry] = Object.entries(value as object)
  return entry === undefined ? '' : `${entry[0]}.${pathOf(entry[1])}`
}
