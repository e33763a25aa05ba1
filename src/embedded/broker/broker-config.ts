import { Journal } from '../journal.ts'
import type { Disk } from './disk.ts'
import { codes, KafkaError } from './errors.ts'

/** The dynamic settings of brokers that this one knows, with Kafka's defaults; all are true or false. */
const DEFAULTS: Readonly<Record<string, string>> = { 'transaction.partition.verification.enable': 'true' }

/** The broker's settings that only a start can change, by their names. */
export interface StaticConfig {
  readonly 'num.partitions': number
  readonly 'default.replication.factor': number
}

/** A setting as DescribeConfigs tells it. */
export interface BrokerSetting {
  readonly name: string
  readonly value: string
  readonly isStatic: boolean
  readonly isGiven: boolean
}

interface Given {
  readonly [name: string]: string
}

/** What AlterConfigs set for the broker (KIP-226); kept over restarts. */
export class BrokerConfig {
  readonly #journal: Journal<Given>
  readonly #disk: Disk
  readonly #static: StaticConfig
  #given: Given = {}

  constructor(path: string, disk: Disk, fixed: StaticConfig) {
    this.#disk = disk
    this.#static = fixed
    this.#journal = new Journal(path, (entry: Given) => {
      this.#given = entry
    })
    this.#journal.compact([this.#given])
  }

  /** Whether a partition takes a transactional batch only if it was added to the transaction (KIP-890 part 1). */
  get verifiesTransactions(): boolean {
    return this.get('transaction.partition.verification.enable') === 'true'
  }

  all(): readonly BrokerSetting[] {
    const names = new Set([...Object.keys(DEFAULTS), ...Object.keys(this.#given)])
    const dynamic = [...names].map((name) => {
      return { name, value: this.get(name), isStatic: false, isGiven: name in this.#given }
    })
    const fixed = Object.entries(this.#static).map(([name, value]) => {
      return { name, value: String(value), isStatic: true, isGiven: value !== 1 }
    })
    return [...dynamic, ...fixed]
  }

  get(name: string): string {
    return this.#given[name] ?? DEFAULTS[name] ?? ''
  }

  given(): Given {
    return this.#given
  }

  /**
   * Replaces all that was given. Throws `INVALID_CONFIG` or, for what only a start can change, `INVALID_REQUEST`. As in
   * Kafka, anything goes under an unknown name: it may be a plug-in's.
   */
  configure(given: Given, validateOnly: boolean): void {
    for (const [name, value] of Object.entries(given)) {
      if (name in this.#static) {
        throw new KafkaError(codes.INVALID_REQUEST, `Cannot update these configs dynamically: ${name}`)
      }
      if (name in DEFAULTS && value !== 'true' && value !== 'false') {
        throw new KafkaError(codes.INVALID_CONFIG, `Invalid value ${value} for configuration ${name}`)
      }
    }
    if (validateOnly) return
    this.#disk.append(this.#journal, given)
    this.#given = given
  }

  close(): void {
    this.#journal.close()
  }
}
