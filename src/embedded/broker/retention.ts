import type { PartitionLog } from './log.ts'
import type { Segment } from './segment.ts'
import type { TopicConfig } from './topic-config.ts'

/**
 * Deletes whole segments, the oldest first, while they are too old (`retention.ms`, by their greatest timestamp) or the
 * log stays at least `retention.bytes` large without them (Kafka's `UnifiedLog.deleteOldSegments`). The log's start
 * moves to the first segment that is left; where all are too old, that is a new one.
 */
export function retire(log: PartitionLog, config: TopicConfig, now: number): void {
  if (config.retentionBytes >= 0) log.dropSegments(tooMuch(log, config.retentionBytes))
  if (config.retentionMs >= 0) log.dropSegments(tooOld(log, now - config.retentionMs))
}

function tooMuch(log: PartitionLog, retentionBytes: number): number {
  let excess = log.segments.reduce((sum, { size }) => sum + size, 0) - retentionBytes
  return countOldest(log, ({ size }) => {
    excess -= size
    return excess >= 0
  })
}

function tooOld(log: PartitionLog, before: number): number {
  return countOldest(log, ({ largestTimestamp }) => largestTimestamp < before)
}

/** How many segments from the first on may go; an empty last one never does. */
function countOldest({ segments }: PartitionLog, mayGo: (segment: Segment) => boolean): number {
  const stays = segments.findIndex((segment, index) => {
    const isEmptyLast = segment.size === 0 && index === segments.length - 1
    return isEmptyLast || !mayGo(segment)
  })
  return stays < 0 ? segments.length : stays
}
