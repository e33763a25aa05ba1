import type { FetchAssignment } from '../actors/kafka/fetcher.ts'
import type { Entry, Position } from './ledger.ts'
import { hashedOver } from './placement.ts'
import type { Expectation } from './shard-protocol.ts'

/** What the writer is told of a partition that begins at `offset`. */
export function expectation(
  { spec, generation, jump, refused, isCareful = false }: Entry,
  offset: number
): Expectation {
  const { topic, partition, targetTopic, targetMaxBytes: maxBytes, rules } = spec
  const { policies, filter, deadLetter } = rules
  const over = hashedOver(spec)
  return {
    ...{ topic, partition, offset, generation, targetTopic, maxBytes },
    ...{ policies, filter, isCareful },
    ...(deadLetter !== undefined && { deadLetter }),
    ...(over !== undefined && { hashedOver: over }),
    ...(refused && { refused }),
    ...(jump && { jump })
  }
}

/** What the fetcher is told of it. The epoch is known only where the fetch begins at a position that we have. */
export function assignment(
  { spec, generation, jump }: Entry,
  offset: number,
  position: Pick<Position, 'next' | 'leaderEpoch'> | undefined
): FetchAssignment {
  const isContinued = jump === undefined && position?.next === offset
  return {
    topic: spec.topic,
    partition: spec.partition,
    position: offset,
    generation,
    ...(isContinued && position.leaderEpoch >= 0 ? { leaderEpoch: position.leaderEpoch } : {}),
    ...(spec.sourceId === undefined ? {} : { topicId: spec.sourceId })
  }
}
