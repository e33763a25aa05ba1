import { pino } from 'pino'
import { Cluster } from '../../src/actors/kafka/cluster.ts'

/** Asks brokers for what kafkajs' admin cannot: last stable offsets. */
export function questioner(name: string, brokers: readonly string[]): Cluster {
  return new Cluster({
    name,
    brokers,
    clientId: 'soak',
    connectTimeoutMs: 5_000,
    requestTimeoutMs: 60_000,
    log: pino({ level: 'silent' })
  })
}
