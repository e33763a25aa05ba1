import { expect, test } from 'vitest'
import { MirrorStats } from '../../../src/actors/mirror/stats.ts'
import { encodeBatch } from '../../../src/records/record.ts'

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

test('a transaction that was opened and is not committed when positions are read again was aborted', () => {
  const stats = new MirrorStats()
  const aborted = () => stats.counters.transactionsAborted
  stats.restored(1, {})
  stats.opened(1)
  stats.opened(2)
  stats.committing(2, commit(7))
  stats.committed(2)
  stats.restored(2, restoredAt(7))
  expect(aborted()).toBe(0)
  stats.restored(1, {})
  expect(aborted()).toBe(1)
  stats.opened(1)
  stats.committing(1, commit(7))
  stats.restored(1, restoredAt(7))
  expect(aborted(), 'its answer was lost').toBe(1)
  stats.opened(1)
  stats.committing(1, commit(9))
  stats.restored(1, restoredAt(7))
  stats.restored(1, restoredAt(7))
  expect(aborted()).toBe(2)
})

test('batches that the target keeps in another codec are counted', () => {
  const stats = new MirrorStats()
  const records = [{ key: null, value: Buffer.from('x'), headers: [], timestamp: 1 }]
  const batches = ['lz4-topic', 'plain-topic', 'any-topic'].flatMap((topic) =>
    ([0, 3, 4] as const).map((codec) => ({ topic, batch: encodeBatch(records, { codec }) }))
  )
  stats.written(batches)
  expect(stats.counters.batchesRecompressed).toBe(0)
  stats.looked([
    { targetTopic: 'lz4-topic', targetCodec: 3 },
    { targetTopic: 'plain-topic', targetCodec: 0 },
    { targetTopic: 'any-topic' }
  ])
  stats.written(batches)
  expect(stats.counters.batchesRecompressed).toBe(4)
})
