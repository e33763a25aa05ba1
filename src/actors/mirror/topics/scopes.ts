import {
  type ClusterRef,
  describeCircle,
  findCircle,
  type Leg,
  legOf,
  type MirrorScope
} from '../../../config/circles.ts'
import { findSampleCircle, scopesOf } from '../../../config/mirrors.ts'
import type { MirrorConfig, Named } from '../../../config.ts'
import { Fault, toFault } from '../../../errors.ts'
import { appendRecord } from '../../kafka/append.ts'
import type { Cluster, Metadata } from '../../kafka/cluster.ts'
import { readInternal } from '../../kafka/positions.ts'
import { SCOPE_KEY } from '../position-records.ts'
import { Planner } from './plan.ts'
import { decodeScopes, encodeScopes, scopeTombstone } from './scope-records.ts'

export interface ScopeOptions {
  readonly instance: string
  /** All mirrors of the config. */
  readonly mirrors: Named<MirrorConfig>
  /** `<name>.mirror.<instance>` of an instance of the config. */
  readonly prefixOf: (instance: string) => string
  /** A cluster by its name in the config. */
  readonly cluster: (name: string) => Cluster
  readonly source: Cluster
  readonly target: Cluster
  readonly positionsTopic: string
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** What was read of one position topic. */
interface Known {
  readonly topicId: string | undefined
  readonly nextOffset: number
  readonly scopes: readonly MirrorScope[]
}

const POSITIONS = /\.mirror\..+\.positions(-\d+)?\.internal$/
/** Looks after which mirrors that write to our source are looked for again. */
const LOOKS = 10
/** How long to wait for the id of a cluster that only other mirrors use, in milliseconds. */
const IDENTIFY_MS = 3_000

/**
 * Keeps records from going round. The other mirrors of the config are known; those of other processes tell of themselves
 * in their position topics, which lie on the clusters that they write to. So a mirror looks at its source for mirrors that
 * write there, tells of itself on its target, and looks once more: of two that start at the same time, at least one sees
 * the other. What is told goes on downstream: rings of more clusters are seen by the mirror that would close them.
 */
export class Scopes {
  readonly #options: ScopeOptions
  /** Clusters by their names in the config. */
  #refs: ReadonlyMap<string, ClusterRef> = new Map()
  /** What position topics on the source tell, by their names. */
  #known: ReadonlyMap<string, Known> = new Map()
  #notes: readonly string[] = []
  #planner: Planner | undefined
  #looks = 0

  constructor(options: ScopeOptions) {
    this.#options = options
  }

  /** Looks for mirrors that write to our source. Rejects with `mirror-circle` when records would come round. */
  async check(signal: AbortSignal): Promise<void> {
    this.#refs = await this.#identify(signal)
    await this.#look(signal)
  }

  async #look(signal: AbortSignal): Promise<void> {
    const metadata = await this.#options.source.metadata(signal)
    const faults = await this.#learn(metadata, signal)
    const passing = faults.find(({ retryable }) => retryable)
    if (passing !== undefined) throw passing
    const [mirror, mirrors] = this.#legs()
    const { from } = mirror.scope
    for (const topic of metadata.topics.keys()) {
      if (!mirror.copies(topic)) continue
      const circle = findCircle(mirrors, { cluster: from, topic }, mirror)
      if (circle !== undefined) throw this.#fault(circle)
    }
    const circle = findSampleCircle(mirrors, mirror)
    if (circle !== undefined) throw this.#fault(circle)
  }

  /** Tells on the target what we copy, and checks again; what was told is taken back when it makes a circle. */
  async tell(signal: AbortSignal): Promise<void> {
    const { target, positionsTopic, now } = this.#options
    await this.#tell(signal)
    try {
      await this.#look(signal)
    } catch (error) {
      if (toFault(error).code === 'mirror-circle') {
        await appendRecord(target, { topic: positionsTopic, partition: 0 }, scopeTombstone(now()), signal)
      }
      throw error
    }
  }

  /**
   * Who decides which topics are copied, as far as is known of other mirrors. Now and then it looks for new ones; what they
   * tell is passed on.
   */
  async planner(from: Metadata, signal: AbortSignal): Promise<Planner> {
    if (++this.#looks % LOOKS === 0) {
      const before = JSON.stringify(this.#upstream())
      await this.#learn(from, signal)
      if (JSON.stringify(this.#upstream()) !== before) await this.#tell(signal)
    }
    this.#planner ??= new Planner(...this.#legs(), this.#notes)
    return this.#planner
  }

  #tell(signal: AbortSignal): Promise<void> {
    const { target, positionsTopic: topic, now } = this.#options
    const [{ scope }] = this.#legs()
    const record = encodeScopes(scope, this.#upstream(), now())
    return appendRecord(target, { topic, partition: 0 }, record, signal)
  }

  /** All mirrors that we know of but ours. */
  #upstream(): MirrorScope[] {
    const [own, mirrors] = this.#legs()
    return mirrors.flatMap((leg) => (leg === own ? [] : [leg.scope]))
  }

  /** Ours, and all: those of the config, and those of other processes that the config does not have. */
  #legs(): [Leg, Leg[]] {
    const { mirrors, instance, prefixOf } = this.#options
    const refOf = (name: string) => this.#refs.get(name) ?? { key: name, name }
    const config = scopesOf(mirrors, prefixOf, refOf).map(legOf)
    const mine = config[Object.keys(mirrors).indexOf(instance)]
    if (mine === undefined) throw new Fault('config-invalid', `the config has no [mirror.${instance}]`)
    const known = new Set(config.map(({ scope }) => identity(scope)))
    const told = new Map(this.#told().map((scope) => [identity(scope), scope]))
    const foreign = [...told].flatMap(([key, scope]) => (known.has(key) ? [] : [legOf(scope)]))
    return [mine, [...config, ...foreign]]
  }

  /** The ids of all clusters of the config's mirrors; one that does not answer soon goes by its name. */
  async #identify(signal: AbortSignal): Promise<Map<string, ClusterRef>> {
    const { mirrors, cluster, source, target } = this.#options
    const names = new Set(Object.values(mirrors).flatMap(({ from, to }) => [from, to]))
    const refs = [...names].map(async (name): Promise<[string, ClusterRef]> => {
      const isOurs = name === source.name || name === target.name
      const patience = isOurs ? signal : AbortSignal.any([signal, AbortSignal.timeout(IDENTIFY_MS)])
      try {
        const { clusterId } = await cluster(name).metadata(patience, [])
        return [name, { key: clusterId ?? name, name }]
      } catch (error) {
        signal.throwIfAborted()
        if (isOurs) throw error
        return [name, { key: name, name }]
      }
    })
    return new Map(await Promise.all(refs))
  }

  /** Reads what position topics on the source tell; returns why some could not be read. */
  async #learn({ topics }: Metadata, signal: AbortSignal): Promise<Fault[]> {
    const faults: Fault[] = []
    const notes: string[] = []
    const names = [...topics.keys()].filter((topic) => POSITIONS.test(topic))
    const reading = names.map(async (topic): Promise<[string, Known][]> => {
      const known = this.#known.get(topic)
      const topicId = topics.get(topic)?.id
      const isSame = known !== undefined && known.topicId === topicId
      try {
        return [[topic, { topicId, ...(await this.#read(topic, isSame ? known : undefined, signal)) }]]
      } catch (error) {
        signal.throwIfAborted()
        const fault = toFault(error)
        faults.push(fault)
        notes.push(`whether the mirror of ${topic} closes a circle cannot be told: ${fault.message}`)
        // Behind the log's end there is another log, to be read from its start.
        const isKept = known !== undefined && fault.code !== 'kafka-offset-out-of-range'
        return isKept ? [[topic, known]] : []
      }
    })
    this.#known = new Map((await Promise.all(reading)).flat())
    this.#notes = notes
    this.#planner = undefined
    return faults
  }

  /** What the mirror with these positions tells: nothing before its first start, and after one that was refused. */
  async #read(
    topic: string,
    known: Known | undefined,
    signal: AbortSignal
  ): Promise<Pick<Known, 'nextOffset' | 'scopes'>> {
    const { source: cluster } = this.#options
    let scopes = known?.scopes ?? []
    const { nextOffset } = await readInternal({
      cluster,
      topic,
      partition: 0,
      signal,
      // Scopes belong to no transaction.
      uncommitted: true,
      transactionTimeoutMs: 0,
      ...(known === undefined ? {} : { from: known.nextOffset }),
      onRecord: ({ key, value }) => {
        if (key?.toString() === SCOPE_KEY)
          scopes = value === null ? [] : decodeScopes(value).filter(isReadable)
      }
    })
    return { nextOffset, scopes }
  }

  #told(): MirrorScope[] {
    return [...this.#known.values()].flatMap(({ scopes }) => scopes)
  }

  #fault(circle: Parameters<typeof describeCircle>[0]): Fault {
    const strangers = circle.mirrors.filter((name) => this.#told().some((scope) => scope.name === name))
    const hint =
      strangers.length === 0
        ? ''
        : `; if there is no ${strangers.join(', ')} any more, delete its positions topic`
    return new Fault('mirror-circle', `records would go round in a circle: ${describeCircle(circle)}${hint}`)
  }
}

function identity({ name, from, to }: MirrorScope): string {
  return JSON.stringify([name, from.key, to.key])
}

/** Whether its expressions can be used here. */
function isReadable(scope: MirrorScope): boolean {
  try {
    legOf(scope)
    return true
  } catch {
    return false
  }
}
