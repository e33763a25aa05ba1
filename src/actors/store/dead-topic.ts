import { Fault, toFault } from '../../errors.ts'
import type { ChainReport } from '../../machines/chain-events.ts'
import { encodeBatch, type Record } from '../../records/record.ts'
import type { ByteBudget } from '../budget.ts'
import { Bell } from '../kafka/bell.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { ensureTopic } from '../kafka/ensure-topic.ts'
import { readInternal } from '../kafka/positions.ts'
import { type OutgoingBatch, TransactionSession } from '../kafka/producer.ts'
import { tp } from '../kafka/topic-partition.ts'
import { pause } from '../kafka/waiting.ts'
import { fromTask } from '../task.ts'
import { type DeadLetter, lettersOf } from './dead-letter.ts'
import { type Entry, parseHead } from './entry.ts'
import { type ChainId, headPath } from './names.ts'
import { entriesFrom } from './reading.ts'
import { readGenesis } from './records.ts'
import type { Store } from './store.ts'

export interface DeadTopicOptions {
  readonly cluster: Cluster
  readonly store: Store
  readonly budget: ByteBudget
  /** `<config name>.<instance>` */
  readonly sink: string
  readonly topic: string
  /** Of topics that we create. */
  readonly replication: number
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

/** A chain was opened, or has moved on. */
export type DeadTopicCommand = Extract<ChainReport, { type: 'chain.opened' | 'chain.advanced' }>

/** The first offset of a chain whose dead letters are not in the topic yet. */
interface Position {
  readonly generation: number
  readonly next: number
}

type Chain = Omit<ChainId, 'generation'>

const BACKOFF_MIN_MS = 500
const BACKOFF_MAX_MS = 60_000
const TRANSACTION_TIMEOUT_MS = 15_000
const BATCH_BYTES_MAX = 512 * 1024
/** So many entries without a dead letter are noted, too, so that the next start need not read them again. */
const NOTED_ENTRIES = 1_000
const PARTITION = 0
const LATEST = -1
/** As those of mirrors: records of any size that a broker lets in. */
const LETTER_CONFIGS = { 'cleanup.policy': 'delete', 'max.message.bytes': '104857600' }
const POSITION_CONFIGS = { 'cleanup.policy': 'compact' }

/**
 * Writes the dead letters that published entries name to a topic. It is derived from the log and never the other way: no
 * entry waits for it, and what one life does not get done the next one finds in the log. The letters of an entry and the
 * position behind it are one transaction under the chain's own id, and the position is read after that id was fenced: so
 * each letter is there once, whoever else carries the chain.
 */
export function createDeadTopic(options: DeadTopicOptions) {
  return fromTask<void, undefined, DeadTopicCommand, never>(async ({ signal, receive }) => {
    const bell = new Bell()
    const pending = new Map<string, Chain>()
    receive((command) => {
      if (command.type === 'chain.advanced' && command.entry.counts.dead === 0) return
      const { topic, partition, topicId } = command
      pending.set(`${tp(topic, partition)}@${topicId}`, { sink: options.sink, topic, partition, topicId })
      bell.ring()
    })
    const writer = new Writer(options, signal)
    for (let failures = 0; ; ) {
      const [next] = pending
      if (next === undefined) await bell.wait(Number.POSITIVE_INFINITY, signal)
      else {
        const [key, chain] = next
        pending.delete(key)
        try {
          await writer.carry(chain)
          failures = 0
        } catch (error) {
          signal.throwIfAborted()
          const fault = toFault(error)
          if (fault.code === 'unknown') throw fault
          options.onFailure(fault)
          if (!pending.has(key)) pending.set(key, chain)
          await pause(Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures++, 10)), signal)
        }
      }
    }
  })
}

class Writer {
  readonly #options: DeadTopicOptions
  readonly #signal: AbortSignal
  readonly #positionsTopic: string
  readonly #positions = new Map<string, Position>()
  #readTo = 0
  #isPrepared = false

  constructor(options: DeadTopicOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
    this.#positionsTopic = `${options.sink}.dead-letters.internal`
  }

  /** Writes what is missing of a chain. Fences only where there is something to write: most chains have no dead letters. */
  async carry(chain: Chain): Promise<void> {
    await this.#prepare()
    await this.#readPositions(await this.#stableEnd())
    const known = await this.#walk(chain, async () => false)
    if (known === 'nothing') return
    const { cluster, sink } = this.#options
    const session = new TransactionSession({
      cluster,
      transactionalId: `${sink}.dead-letters.${tp(chain.topic, chain.partition)}`,
      timeoutMs: TRANSACTION_TIMEOUT_MS
    })
    try {
      await session.fence(this.#signal)
      await this.#readPositions()
      await this.#walk(chain, async (entry, position) => {
        await this.#write(session, chain, entry, position)
        return true
      })
    } finally {
      session.destroy()
    }
  }

  /** Hands out the entries with dead letters, and the last of many without, until `take` is false. */
  async #walk(
    chain: Chain,
    take: (entry: Entry, position: Position) => Promise<boolean>
  ): Promise<'nothing' | 'something'> {
    const { store } = this.#options
    let outcome: 'nothing' | 'something' = 'nothing'
    for (let position = this.#positions.get(keyOf(chain)) ?? (await this.#start(chain, 1)); position; ) {
      const { generation } = position
      const id = { ...chain, generation }
      const published = await this.#publishedTo(id)
      let closed: number | undefined
      let passed = 0
      for await (const entry of entriesFrom(store, id, position.next, this.#signal)) {
        if (entry.type === 'closed') closed = entry.closed
        if (entry.type === 'closed' || entry.to > published) break
        passed++
        if (entry.counts.dead === 0 && passed < NOTED_ENTRIES) continue
        outcome = 'something'
        if (!(await take(entry, { generation, next: entry.to }))) return outcome
        passed = 0
      }
      position = closed === undefined ? undefined : await this.#start(chain, closed)
    }
    return outcome
  }

  async #start(chain: Chain, generation: number): Promise<Position | undefined> {
    const genesis = await readGenesis(this.#options.store, { ...chain, generation }, this.#signal)
    return genesis && { generation, next: genesis.start }
  }

  /** What the last entry names may not be there yet. */
  async #publishedTo(id: ChainId): Promise<number> {
    const content = await this.#options.store.read(headPath(id), this.#signal)
    return (content && parseHead(content)?.to) ?? -1
  }

  async #write(session: TransactionSession, chain: Chain, entry: Entry, position: Position): Promise<void> {
    const { store, budget, topic, now } = this.#options
    const timestamp = now()
    const batches: OutgoingBatch[] = []
    const files = entry.files.filter(({ kind }) => kind === 'dead')
    const lease = budget.takeNow(files.reduce((sum, { bytes }) => sum + 2 * bytes, 0))
    try {
      for (const { path } of files) {
        const content = await store.read(path, this.#signal)
        // Somebody removed it: its letters are lost to the topic, which the log must not wait for.
        if (content === undefined)
          this.#options.onFailure(new Fault('dead-letters-gone', `${path} is not there`))
        else {
          const letters = lettersOf(content).map((letter) => this.#recordOf(letter, timestamp))
          for (const batch of inBatches(letters)) batches.push({ topic, partition: PARTITION, batch })
        }
      }
      const value = Buffer.from(JSON.stringify(position))
      const note = { key: Buffer.from(keyOf(chain)), value, headers: [], timestamp }
      const batch = encodeBatch([note], { codec: 0 })
      batches.push({ topic: this.#positionsTopic, partition: PARTITION, batch })
      throwFirst(await session.add(batches, this.#signal))
      throwFirst(await session.produce(batches, this.#signal))
      await session.commit(this.#signal)
      this.#positions.set(keyOf(chain), position)
    } finally {
      lease.release()
    }
  }

  /** Headers with the names that Kafka Connect uses for its own, as a mirror's dead letters have them. */
  #recordOf(letter: DeadLetter, timestamp: number): Record {
    const headers = Object.entries({
      '__connect.errors.topic': letter.topic,
      '__connect.errors.partition': String(letter.partition),
      '__connect.errors.offset': String(letter.offset),
      '__connect.errors.connector.name': this.#options.sink,
      '__connect.errors.exception.message': letter.reason,
      'causeway.timestamp': String(letter.timestamp)
    }).map(([key, value]) => ({ key, value: Buffer.from(value) }))
    const { key, keyBase64, value, valueBase64 } = letter
    return { key: bytesOf(key, keyBase64), value: bytesOf(value, valueBase64), headers, timestamp }
  }

  async #prepare(): Promise<void> {
    if (this.#isPrepared) return
    const { cluster, topic, replication } = this.#options
    const of = (configs: Readonly<{ [name: string]: string }>) => ({ partitions: 1, replication, configs })
    await ensureTopic(cluster, topic, of(LETTER_CONFIGS), this.#signal)
    await ensureTopic(cluster, this.#positionsTopic, of(POSITION_CONFIGS), this.#signal)
    this.#isPrepared = true
  }

  /** Before it, nobody's open transaction is waited for: that of our own former life is ended by fencing. */
  async #stableEnd(): Promise<number> {
    const place = { topic: this.#positionsTopic, partition: PARTITION }
    const found = await this.#options.cluster.listOffsets([{ ...place, timestamp: LATEST }], 1, this.#signal)
    return Math.max(this.#readTo, found.get(tp(place.topic, PARTITION)) ?? 0)
  }

  async #readPositions(until = Number.POSITIVE_INFINITY): Promise<void> {
    const { nextOffset } = await readInternal({
      cluster: this.#options.cluster,
      topic: this.#positionsTopic,
      partition: PARTITION,
      signal: this.#signal,
      transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
      until,
      ...(this.#readTo > 0 && { from: this.#readTo }),
      onRecord: ({ key, value }) => {
        if (key !== null && value !== null) this.#positions.set(key.toString(), positionOf(value))
      }
    })
    this.#readTo = nextOffset
  }
}

/** Rewinds go on in the same position, a topic that was created anew begins another. */
function keyOf({ topic, partition, topicId }: Chain): string {
  return `${tp(topic, partition)}@${topicId}`
}

function positionOf(value: Buffer): Position {
  const { generation, next } = JSON.parse(value.toString()) as Partial<Position>
  if (Number.isSafeInteger(generation) && Number.isSafeInteger(next)) return { generation, next } as Position
  throw new Fault('positions-unreadable', `a position of dead letters is ${value.toString()}`)
}

function bytesOf(text: string | null | undefined, base64: string | undefined): Buffer | null {
  if (base64 !== undefined) return Buffer.from(base64, 'base64')
  return typeof text === 'string' ? Buffer.from(text) : null
}

function* inBatches(records: readonly Record[]): Generator<Buffer> {
  let batch: Record[] = []
  let bytes = 0
  for (const record of records) {
    const size = (record.key?.length ?? 0) + (record.value?.length ?? 0)
    if (batch.length > 0 && bytes + size > BATCH_BYTES_MAX) {
      yield encodeBatch(batch, { codec: 0 })
      batch = []
      bytes = 0
    }
    batch.push(record)
    bytes += size
  }
  if (batch.length > 0) yield encodeBatch(batch, { codec: 0 })
}

function throwFirst(results: readonly { readonly fault?: Fault | undefined }[]): void {
  for (const { fault } of results) if (fault !== undefined) throw fault
}
