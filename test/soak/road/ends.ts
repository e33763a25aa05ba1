import { type Admin, Kafka, logLevel } from 'kafkajs'
import { demoNames } from '../../../src/demo/config.ts'
import type { WorkerState } from '../../support/worker-state.ts'

/** High watermarks of the road's topic by partition, asked of the brokers and not of the worker. */
export type Ends = ReadonlyMap<number, number>

/** What the brokers of both clusters say of the road's topic. */
export class LogEnds {
  readonly #source: Admin
  readonly #target: Admin

  constructor(source: readonly string[], target: readonly string[]) {
    const [from, to] = [source, target].map((brokers) =>
      new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
    )
    if (from === undefined || to === undefined) throw new Error('there are two clusters')
    this.#source = from
    this.#target = to
  }

  source(): Promise<Ends> {
    return endsOf(this.#source)
  }

  target(): Promise<Ends> {
    return endsOf(this.#target)
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#source.disconnect(), this.#target.disconnect()])
  }
}

async function endsOf(admin: Admin): Promise<Ends> {
  await admin.connect()
  const offsets = await admin.fetchTopicOffsets(demoNames.topic)
  return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]))
}

/** The partitions that a role has not carried so far; all, when it shows none. */
export function behind(state: WorkerState, name: string, ends: Ends): string[] {
  const partitions = state.roles.find(({ role }) => role === name)?.partitions ?? []
  return [...ends].flatMap(([partition, end]) => {
    const view = partitions.find((one) => one.topic === demoNames.topic && one.partition === partition)
    if (end === 0 || (view !== undefined && view.position >= end)) return []
    return [`${name} ${partition} is at ${view?.position}, ${view?.state}, and not at ${end}`]
  })
}
