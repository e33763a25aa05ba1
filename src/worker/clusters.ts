import type { Logger } from 'pino'
import { Cluster } from '../actors/kafka/cluster.ts'
import type { ClusterConfig, Config } from '../config.ts'
import { Fault } from '../errors.ts'

/** The Kafka clusters of a process: one object per cluster, made when the first role asks for it. */
export class Clusters {
  readonly #config: Pick<Config, 'name' | 'clusters'>
  readonly #log: Logger
  readonly #made = new Map<string, Cluster>()

  constructor(config: Pick<Config, 'name' | 'clusters'>, log: Logger) {
    this.#config = config
    this.#log = log
  }

  /** The cluster `[cluster.NAME]`. Throws `config-invalid` when the config has none of that name. */
  get(name: string): Cluster {
    const made = this.#made.get(name)
    if (made !== undefined) return made
    const config = this.#config.clusters[name]
    if (config === undefined) throw new Fault('config-invalid', `the config has no [cluster.${name}]`)
    const cluster = new Cluster({
      ...optionsOf(config),
      name,
      clientId: `causeway-${this.#config.name}`,
      log: this.#log.child({ cluster: name })
    })
    this.#made.set(name, cluster)
    return cluster
  }

  close(): void {
    for (const cluster of this.#made.values()) cluster.close()
    this.#made.clear()
  }
}

function optionsOf({ brokers, tls, sasl, connectTimeoutMs, requestTimeoutMs }: ClusterConfig) {
  return {
    brokers,
    tls: tls && { ca: tls.ca, cert: tls.cert, key: tls.key?.reveal(), serverName: tls.serverName },
    sasl,
    connectTimeoutMs,
    requestTimeoutMs
  }
}
