import { toFault } from '../../errors.ts'
import type { CommitterCommand, CommitterReport, CommitterSeat } from '../../machines/sink-events.ts'
import { fromTask } from '../task.ts'
import type { Cluster } from './cluster.ts'
import { kafkaFault } from './errors.ts'
import { type GroupOffset, offsetCommitApi } from './group-offsets.ts'
import { tp } from './topic-partition.ts'
import { pause } from './waiting.ts'

export interface CommitterOptions {
  readonly cluster: Cluster
  readonly intervalMs: number
  /** Called with each commit that failed. Nothing depends on them. */
  readonly onFailure: (error: unknown) => void
}

const FINISH_TIMEOUT_MS = 2_000

/**
 * Commits offsets to a Kafka group now and then, so that tools show the group's lag. They are hints for people: a commit
 * that fails is dropped, the next one carries newer offsets anyway.
 */
export function createCommitter({ cluster, intervalMs, onFailure }: CommitterOptions) {
  return fromTask<void, undefined, CommitterCommand, CommitterReport>(async ({ signal, receive, report }) => {
    const noted = new Map<string, GroupOffset>()
    const finish = new AbortController()
    let seat: CommitterSeat | undefined
    receive((command) => {
      if (command.type === 'finish') return finish.abort()
      seat = command.seat
      noted.set(tp(command.offset.topic, command.offset.partition), command.offset)
    })
    const waiting = AbortSignal.any([signal, finish.signal])
    while (!waiting.aborted) {
      await pause(intervalMs, waiting).catch(() => undefined)
      if (seat === undefined || noted.size === 0 || signal.aborted) continue
      const offsets = [...noted.values()]
      noted.clear()
      await commit(cluster, seat, offsets, signal).catch(onFailure)
    }
    report({ type: 'offsets.settled' })
  })
}

async function commit(
  cluster: Cluster,
  seat: CommitterSeat,
  offsets: readonly GroupOffset[],
  signal: AbortSignal
): Promise<void> {
  const link = await cluster.open(seat.node, signal)
  try {
    const answers = await link.call(offsetCommitApi(seat, offsets), { timeoutMs: FINISH_TIMEOUT_MS })
    const failed = answers.find(({ error }) => error !== 0)
    if (failed) throw kafkaFault(failed.error, `committing offsets of group ${seat.group}`)
  } catch (error) {
    throw toFault(error)
  } finally {
    link.destroy()
  }
}
