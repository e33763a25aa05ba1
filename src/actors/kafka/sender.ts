import { Fault, toFault } from '../../errors.ts'
import { kafkaFault } from './errors.ts'
import type { Link } from './link.ts'
import { type PartitionBatch, produceApi, type RecordError } from './produce.ts'
import { tp } from './topic-partition.ts'

/** What became of one batch; `fault` undefined means it was appended at `baseOffset`. */
export interface Outcome {
  readonly baseOffset: number
  readonly error: number
  readonly fault: Fault | undefined
  /** The records for which it was refused, if the broker names them. */
  readonly recordErrors?: readonly RecordError[]
}

export interface SenderOptions {
  /** `null` outside of transactions. */
  readonly transactionalId: string | null
  readonly link: Link
  readonly requestTimeoutMs: number
  /** Asked before each request: once something has failed, nothing that would leave a gap before it is sent. */
  readonly isHalted: () => boolean
  readonly onFault: (fault: Fault) => void
}

interface Queued {
  readonly batches: readonly PartitionBatch[]
  readonly resolve: (outcomes: Outcome[]) => void
}

/** Brokers remember the last five batches of a producer; more in flight could not be told from duplicates. */
const IN_FLIGHT_MAX = 5
/** The leader gives up waiting for its followers before we give up waiting for the leader. */
const BROKER_SHARE_OF_TIMEOUT = 0.75

/** Sends produce requests to one broker, in order, a few at a time. Its promises never reject. */
export class Sender {
  readonly #options: SenderOptions
  readonly #queue: Queued[] = []
  #inFlight = 0

  constructor(options: SenderOptions) {
    this.#options = options
  }

  get link(): Link {
    return this.#options.link
  }

  /**
   * @param batches at most one per partition
   * @returns an outcome per batch, once no byte of them is referenced any longer
   */
  send(batches: readonly PartitionBatch[]): Promise<Outcome[]> {
    return new Promise((resolve) => {
      this.#queue.push({ batches, resolve })
      this.#pump()
    })
  }

  #pump(): void {
    while (this.#inFlight < IN_FLIGHT_MAX) {
      const next = this.#queue.shift()
      if (next === undefined) return
      this.#inFlight++
      void this.#request(next.batches).then((outcomes) => {
        this.#inFlight--
        const failed = outcomes.find(({ fault }) => fault !== undefined)
        if (failed?.fault !== undefined) this.#options.onFault(failed.fault)
        next.resolve(outcomes)
        this.#pump()
      })
    }
  }

  async #request(batches: readonly PartitionBatch[]): Promise<Outcome[]> {
    const { transactionalId, link, requestTimeoutMs, isHalted } = this.#options
    if (isHalted()) {
      const why = 'an earlier batch failed'
      return batches.map(() => failure(new Fault('not-sent', why, { retryable: true })))
    }
    const timeoutMs = Math.floor(requestTimeoutMs * BROKER_SHARE_OF_TIMEOUT)
    try {
      const api = produceApi({ transactionalId, timeoutMs, batches }, link)
      const answered = await link.call(api, { timeoutMs: requestTimeoutMs })
      const byPartition = new Map(answered.map((one) => [tp(one.topic, one.partition), one]))
      return batches.map(({ topic, partition }) => {
        const one = byPartition.get(tp(topic, partition))
        // Every batch sent must be answered: silence about a partition is not success.
        if (one === undefined) {
          return failure(new Fault('not-answered', tp(topic, partition), { retryable: true }))
        }
        const { error, baseOffset, recordErrors } = one
        if (error === 0) return { baseOffset, error, fault: undefined }
        return { ...failure(kafkaFault(error, tp(topic, partition))), error, recordErrors }
      })
    } catch (error) {
      const fault = toFault(error)
      return batches.map(() => failure(fault))
    }
  }
}

function failure(fault: Fault): Outcome {
  return { baseOffset: -1, error: -1, fault }
}
