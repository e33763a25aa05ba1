import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setTimeout as delay, setImmediate as yieldToOthers } from 'node:timers/promises'
import type { Faults } from '../faults.ts'
import type { Emission } from './emission.ts'
import type { Pacer } from './pacer.ts'
import { operationalDisconnect } from './problems.ts'
import type { Chunk, Source } from './source.ts'

export interface DeliveryOptions {
  readonly source: Source
  readonly emission: Emission
  readonly pacer: Pacer
  readonly faults: Faults
  /** Total of events to send; `Infinity` for no end. */
  readonly events: number
  readonly keepAliveMs: number
  readonly now: () => number
  readonly hasRules: () => boolean
  /** Told once when the source has nothing more. */
  readonly ended: () => void
}

/** Most events in one write, and in one journal entry. */
const FLUSH_EVENTS_MAX = 256
/** How often a stream that has nothing to send looks whether that has changed. */
const IDLE_MS = 50

/** One connected client: first what it asks to have replayed, then the live events, with keep-alives in silence. */
export class Delivery {
  readonly #options: DeliveryOptions
  readonly #response: ServerResponse
  readonly #closing = new AbortController()
  readonly #keepAlive: NodeJS.Timeout
  #position: number
  #silent = false
  #stalledSinceMs: number | undefined
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>

  /** `position`: where to begin; behind the emission's own position for a replay. */
  constructor(response: ServerResponse, position: number, options: DeliveryOptions) {
    this.#response = response
    this.#position = position
    this.#options = options
    this.closed = new Promise((resolve) => {
      response.once('close', () => {
        clearTimeout(this.#keepAlive)
        this.#closing.abort()
        resolve()
      })
    })
    this.#keepAlive = setInterval(() => this.#sendKeepAlive(), options.keepAliveMs)
  }

  /** For how long the client has not taken what it was sent. */
  get stalledMs(): number {
    return this.#stalledSinceMs === undefined ? 0 : this.#options.now() - this.#stalledSinceMs
  }

  /** Gives the connection up. */
  end(): void {
    this.#response.destroy()
  }

  /** Sends until the connection is gone. Never rejects. */
  async run(): Promise<void> {
    try {
      while (!this.#closing.signal.aborted) await this.#step()
    } catch {
      if (!this.#closing.signal.aborted) this.#response.end(`${operationalDisconnect}\r\n`)
    }
  }

  async #step(): Promise<void> {
    const { emission } = this.#options
    const sent = this.#position < emission.position ? await this.#replay() : await this.#sendLive()
    if (sent) await yieldToOthers(undefined, { signal: this.#closing.signal })
    else await delay(this.#idleMs(), undefined, { signal: this.#closing.signal })
  }

  async #replay(): Promise<boolean> {
    const { source, emission } = this.#options
    const chunk = await source.read(this.#position, FLUSH_EVENTS_MAX, emission.position)
    this.#position = chunk.next
    await this.#write(linesText(chunk))
    return true
  }

  /** The journal comes first: what a client may have seen is replayed after any death. */
  async #sendLive(): Promise<boolean> {
    const { source, emission, pacer, events, hasRules } = this.#options
    const room = Math.min(FLUSH_EVENTS_MAX, pacer.allowance(), events - emission.emitted)
    if (room <= 0 || (source.needsRules && !hasRules())) return false
    const chunk = await source.read(this.#position, room, Infinity)
    if (chunk.next === this.#position) return this.#end(chunk)
    if (await this.#playFault(chunk)) return true
    if (this.#closing.signal.aborted) return false
    emission.record(chunk.next, chunk.lines.length)
    pacer.spend(chunk.lines.length)
    this.#position = chunk.next
    await this.#write(linesText(chunk))
    return this.#end(chunk) || chunk.lines.length > 0
  }

  #end(chunk: Chunk): false {
    if (chunk.ended) this.#options.ended()
    return false
  }

  #idleMs(): number {
    return Math.min(IDLE_MS, Math.max(1, this.#options.pacer.waitMs()))
  }

  async #write(text: string): Promise<void> {
    if (text === '') return
    this.#keepAlive.refresh()
    if (this.#response.write(text)) return
    this.#stalledSinceMs = this.#options.now()
    await once(this.#response, 'drain', { signal: this.#closing.signal })
    this.#stalledSinceMs = undefined
  }

  #sendKeepAlive(): void {
    if (!this.#silent && this.#stalledSinceMs === undefined) this.#response.write('\r\n')
  }

  /**
   * Faults of the stream itself, by the subject `EMIT <position>`: `fail-before` closes before the chunk, `lose-reply` in
   * the middle of its last event, `hang` falls silent, `answer` and `disk-full` end with an error event. True: the chunk is
   * done with.
   */
  async #playFault(chunk: Chunk): Promise<boolean> {
    const { faults, emission } = this.#options
    const action = faults.next(`EMIT ${emission.position}`)
    if (action === undefined) return false
    if (action.type === 'delay') await delay(action.ms, undefined, { signal: this.#closing.signal })
    if (action.type === 'fail-before') this.end()
    if (action.type === 'disk-full' || action.type === 'answer') throw new Error('injected fault')
    if (action.type === 'hang') {
      this.#silent = true
      await this.closed
    }
    if (action.type !== 'lose-reply') return action.type !== 'delay'
    emission.record(chunk.next, chunk.lines.length)
    const text = linesText(chunk)
    this.#response.write(text.slice(0, text.length - 100), () => this.end())
    await this.closed
    return true
  }
}

function linesText(chunk: Chunk): string {
  return chunk.lines.map((line) => `${line}\r\n`).join('')
}
