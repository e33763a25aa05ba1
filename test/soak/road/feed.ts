import { join } from 'node:path'
import { demoSeed } from '../../../src/demo/services.ts'
import {
  type EmbeddedEventStream,
  startEventStream
} from '../../../src/embedded/event-stream/event-stream.ts'
import { tweetAt } from '../../../src/embedded/event-stream/generator.ts'
import { freePort } from '../../tools/service.ts'

/** The event stream of a soak: it goes on for as long as there is something to torture, and then comes to an end. */
export class Feed {
  readonly token: string
  readonly port: number
  readonly #dataDir: string
  readonly #rate: number
  #stream: EmbeddedEventStream

  private constructor(dataDir: string, rate: number, token: string, stream: EmbeddedEventStream) {
    this.token = token
    this.port = stream.port
    this.#dataDir = dataDir
    this.#rate = rate
    this.#stream = stream
  }

  /** Starts an endless stream of `rate` events per second. */
  static async start(directory: string, rate: number, token: string): Promise<Feed> {
    const dataDir = join(directory, 'event-stream')
    const stream = await startEventStream({ dataDir, token, seed: demoSeed, rate, port: await freePort() })
    return new Feed(dataDir, rate, token, stream)
  }

  /** Lets the stream end soon, and returns all payloads that it will have sent, in order, once it has sent them. */
  async finish(timeoutMs: number): Promise<readonly string[]> {
    const events = this.#stream.emitted() + LAST_EVENTS
    const [dataDir, token, rate, port] = [this.#dataDir, this.token, this.#rate, this.port]
    await this.#stream.stop()
    this.#stream = await startEventStream({ dataDir, token, seed: demoSeed, rate, port, events })
    const deadline = Date.now() + timeoutMs
    while (!this.#stream.finished()) {
      if (Date.now() > deadline) throw new Error(`the stream did not end within ${timeoutMs} ms`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return Array.from({ length: events }, (_, index) => tweetAt(demoSeed, index).json)
  }

  stop(): Promise<void> {
    return this.#stream.stop()
  }
}

/** What comes after the last disturbance: it must arrive like the rest. */
const LAST_EVENTS = 500
