import { Fault, toFault } from '../../../errors.ts'
import type { TopicRules } from '../../../machines/topic-rules.ts'
import type { Codec } from '../../../records/batch.ts'
import { codecs } from '../../../records/codecs.ts'
import { alterTopic, type ConfigEntries, describeTopics, growTopic } from '../../kafka/admin.ts'
import type { Cluster, Metadata, TopicMetadata } from '../../kafka/cluster.ts'
import { kafkaFault } from '../../kafka/errors.ts'
import { configChanges, excludedConfigs, initialConfigs, unknownConfigs } from './configs.ts'
import type { PlannedTopic } from './plan.ts'

export interface TargetOptions {
  readonly source: Cluster
  readonly target: Cluster
  /** Replication factor of the topics that we create. */
  readonly replication: number
  /** Whether what the target lacks is created. */
  readonly createTopics: boolean
  readonly syncConfigs: boolean
  /** Configs that are left alone. */
  readonly configExclude: readonly string[]
  /** What the config wants to be done with a source topic. */
  readonly rulesOf: (topic: string) => TopicRules
}

/** What the target has for one topic of the source. */
export interface Place {
  /** What it has of the topic; `undefined` while it has none. */
  readonly there: TopicMetadata | undefined
  /** Its limit on a batch, in bytes. */
  readonly maxBytes: number
  /** What it keeps batches in, when that is not what they came in. */
  readonly codec?: Codec
  /** Why nothing of the topic can be copied. */
  readonly hold?: string
  /** Why partitions that the target lacks are missing. */
  readonly lack?: string
}

export interface Places {
  /** By the source's names. */
  readonly byName: ReadonlyMap<string, Place>
  readonly notes: readonly string[]
  /** Nothing is on its way there: no topic was just created or grown. */
  readonly isSettled: boolean
}

/** What was read of a target topic's configs. */
interface Known {
  readonly maxBytes: number
  readonly codec: Codec | undefined
  readonly notes: readonly string[]
  /** The look that read it. */
  readonly look: number
}

const UNKNOWN_TOPIC = 3
/** Kafka's default of `max.message.bytes`. */
const MESSAGE_BYTES_MAX = 1_048_588
/** Looks after which the configs of topics are read, compared and set again. */
const CONFIG_LOOKS = 10
/** What `compression.type` says, but for `producer`. */
const keptCodecs: Readonly<Record<string, Codec>> = {
  uncompressed: codecs.none,
  gzip: codecs.gzip,
  snappy: codecs.snappy,
  lz4: codecs.lz4,
  zstd: codecs.zstd
}
/** Topics that are created at the same time. */
const CREATED_AT_ONCE = 16

/** The topics of the target: created and grown where it lacks them, their configs kept like those of the source. */
export class TargetTopics {
  readonly #options: TargetOptions
  readonly #signal: AbortSignal
  readonly #isExcluded: (name: string) => boolean
  readonly #known = new Map<string, Known>()
  #look = 0

  constructor(options: TargetOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
    this.#isExcluded = excludedConfigs(options.configExclude)
  }

  /** @param from what the source has of the topics, @param to what the target has of their copies */
  async look(topics: readonly PlannedTopic[], from: Metadata, to: Metadata): Promise<Places> {
    this.#look++
    const isMissing = ({ target }: PlannedTopic) =>
      (to.topics.get(target)?.error ?? UNKNOWN_TOPIC) === UNKNOWN_TOPIC
    const wanted = topics.filter(({ hold }) => hold === undefined)
    const missing = wanted.filter(isMissing)
    const existing = wanted.filter((topic) => !isMissing(topic) && to.topics.get(topic.target)?.error === 0)
    const [uncreated, ungrown] = await Promise.all([
      this.#create(missing, from),
      this.#grow(existing, from, to),
      this.#learn(existing)
    ])
    const byName = new Map(
      topics.map((topic) => {
        const there = isMissing(topic) ? undefined : to.topics.get(topic.target)
        const hold = topic.hold ?? uncreated.get(topic.name) ?? this.#refusal(topic, there)
        const lack = ungrown.get(topic.name)
        const { maxBytes = MESSAGE_BYTES_MAX, codec } = this.#known.get(topic.target) ?? {}
        const kept = codec === undefined ? {} : { codec }
        const place: Place = { there, maxBytes, ...kept, ...(hold && { hold }), ...(lack && { lack }) }
        return [topic.name, place]
      })
    )
    const notes = existing.flatMap(({ target }) => this.#known.get(target)?.notes ?? [])
    const hasCreated = missing.length > uncreated.size
    // What cannot be grown may have been grown a moment ago by somebody else.
    const hasGrown = this.#options.createTopics && ungrown.size > 0
    return { byName, notes, isSettled: !hasCreated && !hasGrown }
  }

  #refusal({ target }: PlannedTopic, there: TopicMetadata | undefined): string | undefined {
    const { name } = this.#options.target
    if (there === undefined) return `topic ${target} is being created on ${name}`
    return there.error === 0 ? undefined : kafkaFault(there.error, `topic ${target} on ${name}`).message
  }

  /** Creates topics like the source's; tells, by the source's names, why some could not be. */
  async #create(topics: readonly PlannedTopic[], from: Metadata): Promise<Map<string, string>> {
    const { source, target, createTopics } = this.#options
    if (topics.length === 0) return new Map()
    if (!createTopics) {
      const why = (name: string) => `${target.name} has no topic ${name}, and create_topics is off`
      return new Map(topics.map((topic) => [topic.name, why(topic.target)]))
    }
    const configs = await describeTopics(
      source,
      topics.map(({ name }) => name),
      this.#signal
    )
    const failed = new Map<string, string>()
    for (let at = 0; at < topics.length; at += CREATED_AT_ONCE) {
      const creating = topics.slice(at, at + CREATED_AT_ONCE).map(async (topic) => {
        const why = await this.#attempt(() => this.#createOne(topic, from, configs.get(topic.name)))
        if (why !== undefined)
          failed.set(topic.name, `topic ${topic.target} cannot be created on ${target.name}: ${why}`)
      })
      await Promise.all(creating)
    }
    return failed
  }

  async #createOne(topic: PlannedTopic, from: Metadata, configs: ConfigEntries | Fault | undefined) {
    const { target, replication } = this.#options
    // Created without its source's retention, it might delete old records as soon as they come.
    if (configs instanceof Fault) throw configs
    const partitions = from.topics.get(topic.name)?.partitions.length ?? 1
    const create = (which: 'own' | 'kept') => {
      const initial = initialConfigs(configs ?? new Map(), this.#isExcluded, which)
      return target.createTopic(topic.target, { partitions, replication, configs: initial }, this.#signal)
    }
    await create('own').catch((error: unknown) => {
      // Brokers of another version may not know one of them, and so refuse all. The others follow when they are compared.
      if (toFault(error).code !== 'kafka-invalid-config') throw error
      return create('kept')
    })
  }

  /** Grows topics that have fewer partitions than their sources; tells what becomes of the missing ones. */
  async #grow(topics: readonly PlannedTopic[], from: Metadata, to: Metadata): Promise<Map<string, string>> {
    const { target, createTopics, rulesOf } = this.#options
    const lacking = new Map<string, string>()
    for (const { name, target: copy } of topics) {
      // Where keys go by their hash, the number of partitions is the target's own, and growing it would move them.
      if (rulesOf(name).partitioning === 'hash') continue
      const wanted = from.topics.get(name)?.partitions.length ?? 0
      if (wanted <= (to.topics.get(copy)?.partitions.length ?? 0)) continue
      if (!createTopics) lacking.set(name, 'and create_topics is off')
      else {
        const why = await this.#attempt(() => growTopic(target, copy, wanted, this.#signal))
        lacking.set(name, why === undefined ? 'and is being grown' : `and cannot be grown: ${why}`)
      }
    }
    return lacking
  }

  /** Reads the configs of topics whose turn it is, and makes those of the target like those of the source. */
  async #learn(topics: readonly PlannedTopic[]): Promise<void> {
    const due = topics.filter(({ target }) => {
      const known = this.#known.get(target)
      return known === undefined || this.#look - known.look >= CONFIG_LOOKS
    })
    if (due.length === 0) return
    const { source, target, syncConfigs } = this.#options
    const [ours, theirs] = await Promise.all([
      syncConfigs
        ? describeTopics(
            source,
            due.map(({ name }) => name),
            this.#signal
          )
        : undefined,
      describeTopics(
        target,
        due.map((topic) => topic.target),
        this.#signal
      )
    ])
    for (const topic of due) {
      const there = theirs.get(topic.target)
      const { configs, notes } = await this.#synced(topic, ours?.get(topic.name), there)
      const told = [...notes, ...(configs === undefined ? [] : this.#notesOf(topic.target, configs))]
      const maxBytes = Number(configs?.get('max.message.bytes')?.value ?? MESSAGE_BYTES_MAX)
      const codec = keptCodecs[configs?.get('compression.type')?.value ?? '']
      this.#known.set(topic.target, { maxBytes, codec, notes: told, look: this.#look })
    }
  }

  async #synced(
    { name, target: copy }: PlannedTopic,
    ours: ConfigEntries | Fault | undefined,
    theirs: ConfigEntries | Fault | undefined
  ): Promise<{ readonly configs?: ConfigEntries; readonly notes: readonly string[] }> {
    const { source, target } = this.#options
    const unread = (side: string, topic: string, why: string) =>
      `the config of topic ${topic} on ${side} cannot be read: ${why}`
    if (theirs === undefined || theirs instanceof Fault) {
      return { notes: [unread(target.name, copy, theirs?.message ?? 'no answer')] }
    }
    if (ours === undefined) return { configs: theirs, notes: [] }
    if (ours instanceof Fault) return { configs: theirs, notes: [unread(source.name, name, ours.message)] }
    const notes = unknownConfigs(ours, theirs, this.#isExcluded).map(
      (config) => `${config} of topic ${name} is nothing that ${target.name} knows: ${copy} goes without`
    )
    const changes = configChanges(ours, theirs, this.#isExcluded)
    if (changes.length === 0) return { configs: theirs, notes }
    const why = await this.#attempt(() => alterTopic(target, copy, changes, theirs, this.#signal))
    if (why !== undefined) {
      const which = changes.map((change) => change.name).join(', ')
      const note = `${which} of topic ${copy} on ${target.name} cannot be set as on ${source.name}: ${why}`
      return { configs: theirs, notes: [...notes, note] }
    }
    target.log.info({ topic: copy, changes }, 'configs of a topic were set as on the source')
    const again = (await describeTopics(target, [copy], this.#signal)).get(copy)
    return { configs: again === undefined || again instanceof Fault ? theirs : again, notes }
  }

  /** What the configs of a target topic cost or lose. */
  #notesOf(topic: string, configs: ConfigEntries): string[] {
    const where = `topic ${topic} on ${this.#options.target.name}`
    const notes: string[] = []
    if (configs.get('message.timestamp.type')?.value === 'LogAppendTime') {
      notes.push(`${where} stamps records itself: their timestamps are not preserved`)
    }
    const compression = configs.get('compression.type')?.value ?? 'producer'
    if (compression !== 'producer') {
      notes.push(`${where} recompresses to ${compression}, which costs its broker time`)
    }
    return notes
  }

  /** Resolves with why it failed, if so. */
  async #attempt(step: () => Promise<unknown>): Promise<string | undefined> {
    try {
      await step()
      return undefined
    } catch (error) {
      this.#signal.throwIfAborted()
      return toFault(error).message
    }
  }
}
