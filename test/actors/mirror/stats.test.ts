import { expect, test } from 'vitest'
import { MirrorStats } from '../../../src/actors/mirror/stats.ts'

const positionAt = (next: number) => ({ next, leaderEpoch: 0, sourceId: undefined, targetId: undefined })
const commit = (next: number) => ({
  positions: [{ topic: 't', partition: 0, position: positionAt(next) }],
  records: 5,
  bytes: 50
})
const restoredAt = (next: number) => ({ 't-0': positionAt(next) })

test('a commit whose answer was lost counts when the positions say that it took place', () => {
  const stats = new MirrorStats()
  stats.committing(1, commit(7))
  stats.restored(1, restoredAt(7))
  expect(stats.counters).toMatchObject({ recordsWritten: 5, transactionsCommitted: 1, bytesWritten: 50 })
})

test('and does not when it did not', () => {
  const stats = new MirrorStats()
  stats.committing(1, commit(7))
  stats.restored(1, restoredAt(2))
  stats.restored(1, restoredAt(7))
  expect(stats.counters).toMatchObject({ recordsWritten: 0, transactionsCommitted: 0, restores: 2 })
})
