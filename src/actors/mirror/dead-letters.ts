import type { Suspicion } from '../../machines/refused.ts'
import { type Rebatched, Rebatcher } from '../../records/rebatch.ts'
import type { RecordCursor } from '../../records/record.ts'
import { withHeaders } from '../../records/with-headers.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { ensureTopic } from '../kafka/ensure-topic.ts'
import type { TopicPartition } from '../kafka/topic-partition.ts'

/** Whose dead letters, and where they go. */
export interface DeadLetterOptions {
  /** On the target. */
  readonly topic: string
  /** `<name>.mirror.<instance>` */
  readonly mirror: string
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** A record that was left out, as it goes to the topic for dead letters. */
export interface DeadLetter {
  /** Of the record on the source. */
  readonly offset: number
  readonly body: Buffer
}

/** The only one that they go to: a topic that we create has no other. */
const PARTITION = 0

/**
 * Configs of a topic for dead letters that we create: it takes what the target's topics do not, records without a key
 * and of any size that a broker lets in (`socket.request.max.bytes`).
 */
const configs = { 'cleanup.policy': 'delete', 'max.message.bytes': '104857600' } as const

/** Creates a topic for dead letters where it is missing. */
export function ensureDeadLetters(
  target: Cluster,
  topic: string,
  replication: number,
  signal: AbortSignal
): Promise<void> {
  return ensureTopic(target, topic, { partitions: 1, replication, configs }, signal)
}

const BATCH_BYTES_MAX = 512 * 1024

/**
 * The dead letters of one partition of the source: key, value and headers as they were, behind them headers with the names
 * that Kafka Connect uses for its own (`DeadLetterQueueReporter`). The timestamp is that of now, because the record's own
 * may be what was refused; it is told in a header.
 */
export class DeadLetters {
  readonly target: TopicPartition
  readonly #options: DeadLetterOptions
  readonly #source: TopicPartition

  constructor(options: DeadLetterOptions, source: TopicPartition) {
    this.target = { topic: options.topic, partition: PARTITION }
    this.#options = options
    this.#source = source
  }

  /** @param offset of the record on the source */
  write(record: RecordCursor, offset: number, reason: string): DeadLetter {
    const { topic, partition } = this.#source
    const body = withHeaders(record, [
      ['__connect.errors.topic', topic],
      ['__connect.errors.partition', String(partition)],
      ['__connect.errors.offset', String(offset)],
      ['__connect.errors.connector.name', this.#options.mirror],
      ['__connect.errors.exception.message', reason],
      ['causeway.timestamp', String(record.timestamp)]
    ])
    return { offset, body }
  }

  /** @param suspicion where some of them is refused, too */
  inBatches(letters: readonly DeadLetter[], suspicion: Suspicion | undefined): Rebatched[] {
    const isSuspect = ({ offset }: DeadLetter) =>
      suspicion !== undefined && offset >= suspicion.from && offset < suspicion.until
    const bytes = letters.reduce((sum, { body }) => sum + body.length, 0)
    const recordsMax = letters.some(isSuspect) ? suspicion?.recordsMax : undefined
    const rebatcher = new Rebatcher(0, BATCH_BYTES_MAX, bytes, recordsMax)
    const timestamp = this.#options.now()
    for (const { offset, body } of letters) {
      rebatcher.add({ buffer: body, offset, timestamp, bodyStart: 0, bodyEnd: body.length })
    }
    return rebatcher.take()
  }
}
