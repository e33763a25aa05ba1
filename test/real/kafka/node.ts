import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { TcpProxy } from '../../tools/proxy.ts'
import { type Service, startService } from '../../tools/service.ts'
import { javaArgs } from './libraries.ts'
import type { SecureAddresses } from './security.ts'

export interface NodeAddresses {
  /** The plain listener, as clients are told: the proxy where there is one. */
  readonly address: string
  /** Another plain listener that no proxy ever disturbs: for whoever checks the outcome. */
  readonly direct: string
  readonly secure: SecureAddresses | undefined
  readonly proxy: TcpProxy | undefined
}

export interface NodeOptions extends NodeAddresses {
  readonly id: number
  readonly libraries: string
  /** Options of its virtual machine; those for a short life when undefined. */
  readonly jvm: readonly string[] | undefined
  /** The node's own, made by the caller. */
  readonly directory: string
  readonly settings: Readonly<Record<string, string>>
  /** After its death, how long its cluster refuses a next life of it: ZooKeeper's session must have ended. */
  readonly mournedMs: number
}

/** One Apache Kafka broker in a process of its own, with ports and data that outlive it. */
export class KafkaNode implements NodeAddresses {
  readonly id: number
  readonly address: string
  readonly direct: string
  readonly secure: SecureAddresses | undefined
  readonly proxy: TcpProxy | undefined
  /** Its server.properties. */
  readonly file: string
  readonly #options: NodeOptions
  #service: Service | undefined
  #diedAt = Number.NEGATIVE_INFINITY

  constructor(options: NodeOptions) {
    const { id, address, direct, secure, proxy, directory, settings } = options
    this.#options = options
    this.id = id
    this.address = address
    this.direct = direct
    this.secure = secure
    this.proxy = proxy
    this.file = join(directory, 'server.properties')
    const all = { ...settings, 'log.dirs': join(directory, 'logs') }
    const lines = Object.entries(all).map(([name, value]) => `${name}=${value}\n`)
    writeFileSync(this.file, lines.join(''))
  }

  get pid(): number {
    return this.#service?.pid ?? -1
  }

  /** What the broker printed last. */
  printed(): string {
    return this.#service?.printed() ?? ''
  }

  /** Starts it on its ports and data; resolves when it takes requests. */
  async start(): Promise<void> {
    await pause(Math.max(0, this.#diedAt + this.#options.mournedMs - performance.now()))
    this.#service = await startService({
      name: `Kafka node ${this.id}`,
      command: 'java',
      args: [...javaArgs(this.#options.libraries, this.#options.jvm), 'kafka.Kafka', this.file],
      ready: (printed) => /Kafka Server started|KafkaServer id=\d+\] started/.test(printed)
    })
  }

  /** Ends it in order: its partitions move to other brokers first. */
  async stop(): Promise<void> {
    await this.#service?.stop()
  }

  /** `SIGKILL`; resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#service?.kill()
    this.#diedAt = performance.now()
  }

  /** Its next life on the same ports and data; one that still runs is killed first. */
  async restart(): Promise<void> {
    await this.kill()
    await this.start()
  }

  /** Freezes and thaws it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#service?.signal(signal)
  }

  /** Kills it and removes what it had. */
  async remove(): Promise<void> {
    await this.kill()
    await this.proxy?.stop()
    rmSync(this.#options.directory, { recursive: true, force: true })
  }
}
