import type { Mm2Config } from '../../config.ts'
import { Fault } from '../../errors.ts'
import type { Delivery } from '../../machines/shard-setup.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { describeGroup } from '../kafka/groups.ts'
import { readInternal } from '../kafka/positions.ts'
import { fenceIds, listTransactionalIds } from '../kafka/transactional-ids.ts'
import { type Mm2Position, Mm2Positions, mm2Topics } from './offsets/mm2-formats.ts'

export interface Mm2Options {
  readonly target: Cluster
  readonly mm2: Mm2Config
  readonly transactionTimeoutMs: number
  /** Of ours: where it is at least once, the target may know no transactions. */
  readonly delivery: Delivery
}

/**
 * A MirrorMaker 2 in dedicated mode, as its target shows it. Its workers for the flow from one source are a Connect group;
 * each task has a transactional id when it copies exactly once, and keeps how far it has come in a topic
 * (`MirrorMakerConfig.workerConfig` and `Worker.taskTransactionalId` of Kafka 4.1).
 */
export class Mm2 {
  readonly topic: string
  readonly #options: Mm2Options
  readonly #group: string

  constructor(options: Mm2Options) {
    const { source } = options.mm2
    this.#options = options
    this.#group = `${source}-mm2`
    this.topic = mm2Topics.positions(source)
  }

  /** Rejects with `mm2-running`, which passes when it was stopped. */
  async refuseMembers(signal: AbortSignal): Promise<void> {
    const { target } = this.#options
    const { members } = await describeGroup(target, this.#group, signal)
    if (members.length === 0) return
    const message = `MirrorMaker 2 runs: its group ${this.#group} on ${target.name} has ${members.length} members; stop it (a worker that was killed counts until its session ends)`
    throw new Fault('mm2-running', message, { retryable: true })
  }

  /**
   * Takes the transactional ids of its tasks away, so that nothing of them is under way any more. Returns whether it has
   * any, `undefined` where the brokers cannot tell.
   */
  async fence(signal: AbortSignal): Promise<boolean | undefined> {
    const { target, mm2, transactionTimeoutMs, delivery } = this.#options
    const prefix = `${this.#group}-MirrorSourceConnector-`
    const listed = (await listTransactionalIds(target, signal))?.flatMap((id) => {
      const number = id.startsWith(prefix) ? id.slice(prefix.length) : ''
      return /^\d{1,6}$/.test(number) ? [Number(number)] : []
    })
    if (listed?.length === 0 && delivery === 'at-least-once') return false
    // Tasks are numbered from 0. The first is taken in any case: who may not do that is told so here.
    const count = listed === undefined ? mm2.tasks : Math.max(0, ...listed) + 1
    const ids = Array.from({ length: count }, (_, task) => `${prefix}${task}`)
    await fenceIds(target, ids, transactionTimeoutMs, signal)
    return listed === undefined ? undefined : listed.length > 0
  }

  /** How far it has come with each partition. Rejects with `mm2-not-found` where it never was. */
  async positions(signal: AbortSignal): Promise<Mm2Position[]> {
    const { target, mm2, transactionTimeoutMs } = this.#options
    const partitions = await this.partitions(signal)
    if (partitions === 0) {
      const message = `${target.name} has no topic ${this.topic}: no MirrorMaker 2 has copied there from a source that it calls ${mm2.source}`
      throw new Fault('mm2-not-found', message)
    }
    const found = new Mm2Positions(mm2.source)
    for (let partition = 0; partition < partitions; partition++) {
      const place = { cluster: target, topic: this.topic, partition }
      await readInternal({
        ...place,
        signal,
        transactionTimeoutMs,
        onRecord: (record) => found.add(record)
      })
    }
    return found.all()
  }

  /** Of its position topic, 0 where there is none. */
  async partitions(signal: AbortSignal): Promise<number> {
    const found = (await this.#options.target.metadata(signal, [this.topic])).topics.get(this.topic)
    return found?.error === 0 ? found.partitions.length : 0
  }
}
