import { Journal } from '../journal.ts'
import type { Disk } from './disk.ts'
import { codes, KafkaError } from './errors.ts'

/** The dynamic settings of brokers that this one knows, with Kafka's defaults; all are true or false. */
const DEFAULTS: Readonly<Record<string, string>> = { 'transaction.partition.verification.enable': 'true' }

interface Given {
  readonly [name: string]: string
}

/** What AlterConfigs set for the broker (KIP-226); kept over restarts. */
export class BrokerConfig {
  readonly #journal: Journal<Given>
  readonly #disk: Disk
  #given: Given = {}

  constructor(path: string, disk: Disk) {
    this.#disk = disk
    this.#journal = new Journal(path, (entry: Given) => {
      this.#given = entry
    })
    this.#journal.compact([this.#given])
  }

  /** Whether a partition takes a transactional batch only if it was added to the transaction (KIP-890 part 1). */
  get verifiesTransactions(): boolean {
    return this.get('transaction.partition.verification.enable') === 'true'
  }

  names(): readonly string[] {
    return Object.keys(DEFAULTS)
  }

  get(name: string): string {
    return this.#given[name] ?? DEFAULTS[name] ?? ''
  }

  given(): Given {
    return this.#given
  }

  /** Replaces all that was given. Throws `INVALID_CONFIG` naming the entry that is unknown or out of range. */
  configure(given: Given, validateOnly: boolean): void {
    for (const [name, value] of Object.entries(given)) {
      if (!(name in DEFAULTS)) {
        throw new KafkaError(codes.INVALID_CONFIG, `Unknown or static broker config name: ${name}`)
      }
      if (value !== 'true' && value !== 'false') {
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
