import { Program } from '../lib/program.ts'
import { python } from '../lib/python.ts'
import { FIRST_RECORDS, PARTITIONS, TOPIC, type Workload } from './workload.ts'

/** By partition. */
export type Content = Readonly<Record<string, { readonly records: number; readonly hash: string }>>

const LIMITS = { everyMs: 5, timeoutMs: 15 * 60_000 }

/** A source that is full, although nobody may read it yet: its records stand in an open transaction. */
export class Source {
  readonly content: Content
  readonly #loader: Program

  private constructor(loader: Program, content: Content) {
    this.#loader = loader
    this.content = content
  }

  static async fill(broker: string, { records, codec, batchBytes }: Workload): Promise<Source> {
    const numbers = [PARTITIONS, FIRST_RECORDS, records]
    const args = [broker, TOPIC, ...numbers.map(String), codec, String(batchBytes)]
    const loader = new Program(await python('mirror/python/load.py', args))
    try {
      const said = () => /^loaded (.*)$/m.exec(loader.printed)?.[1]
      return new Source(loader, JSON.parse(await loader.until('loading', said, LIMITS)))
    } catch (error) {
      await loader.stop()
      throw error
    }
  }

  /** Everything becomes readable; resolves when the broker has said so. */
  async release(): Promise<void> {
    this.#loader.tell('commit')
    await this.#loader.finished()
  }

  async stop(): Promise<void> {
    await this.#loader.stop()
  }
}

/** What librdkafka reads. */
export async function contentOf(broker: string): Promise<Content> {
  return JSON.parse(await new Program(await python('mirror/python/read.py', [broker, TOPIC])).finished())
}

export function recordsOf(content: Content): number {
  return Object.values(content).reduce((sum, { records }) => sum + records, 0)
}
