import { expect, onTestFinished, vi } from 'vitest'
import { createActor, setup } from 'xstate'
import { ByteBudget } from '../../../src/actors/budget.ts'
import {
  type FetchAssignment,
  type FetchedSlice,
  type FetcherCommand,
  type FetcherInput,
  type FetcherReport,
  fetcher
} from '../../../src/actors/kafka/fetcher.ts'
import { type Asked, batchAt, ScriptedCluster, type Told } from './scripted-cluster.ts'

type Faulted = Extract<FetcherReport, { type: 'partition.faulted' }>

/** A fetcher over a scripted cluster, and what it reported. Leases are released at once unless `keep`. */
export async function fetching(
  more: Partial<FetcherInput> & { keep?: boolean; metadataVersion?: number } = {}
) {
  const { keep = false, metadataVersion, ...input } = more
  const { world, cluster } = await ScriptedCluster.start(metadataVersion)
  const budget = input.budget ?? new ByteBudget(64 * 1024 * 1024)
  const slices: FetchedSlice[] = []
  const faults: Faulted[] = []
  let end: 'running' | 'done' | 'failed' = 'running'
  const parent = setup({
    types: { events: {} as FetcherReport | { type: 'tell'; command: FetcherCommand } },
    actors: { fetcher }
  }).createMachine({
    invoke: {
      id: 'fetcher',
      src: 'fetcher',
      input: { cluster, budget, maxWaitMs: 50, ...input },
      onDone: { actions: () => (end = 'done') },
      onError: { actions: () => (end = 'failed') }
    },
    on: {
      tell: { actions: ({ self, event }) => self.getSnapshot().children.fetcher?.send(event.command) },
      'records.fetched': {
        actions: ({ event }) => {
          for (const slice of event.slices) {
            slices.push(slice)
            if (!keep) slice.lease.release()
          }
        }
      },
      'partition.faulted': { actions: ({ event }) => faults.push(event) }
    }
  })
  const actor = createActor(parent)
  actor.start()
  onTestFinished(() => {
    actor.stop()
  })
  return {
    world,
    budget,
    slices,
    faults,
    end: () => end,
    tell: (command: FetcherCommand) => actor.send({ type: 'tell', command }),
    assign: (...partitions: Omit<FetchAssignment, 'topic'>[]) =>
      actor.send({
        type: 'tell',
        command: { type: 'assign', partitions: partitions.map((one) => ({ topic: 't', ...one })) }
      }),
    /** Ranges with records, in order of delivery: `partition:from-to`. */
    ranges: () =>
      slices
        .filter(({ recordSet }) => recordSet.length > 0)
        .map(({ partition, fetchOffset, nextOffset }) => `${partition}:${fetchOffset}-${nextOffset}`)
  }
}

export const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 20_000, interval: 5 })

/** A session in which every partition has records of 5 up to offset 15. */
export function log(sessionId: number) {
  const positions = new Map<number, number>()
  return (asked: Asked): Told | undefined => {
    if (asked.sessionEpoch === 0) positions.clear()
    for (const { partition, fetchOffset } of asked.partitions) positions.set(partition, fetchOffset)
    for (const partition of asked.forgotten) positions.delete(partition)
    const ready = [...positions].filter(([, position]) => position < 15)
    if (ready.length === 0) return undefined
    const partitions = ready.map(([partition, position]) => ({
      partition,
      highWatermark: 15,
      recordSet: batchAt(position, 5)
    }))
    return { sessionId, partitions }
  }
}
