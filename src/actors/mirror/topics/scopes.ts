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
  readonly transactionTimeoutMs: number
  /** Milliseconds since 1970. */
  readonly now: () => number
}

const POSITIONS = /\.mirror\..+\.positions(-\d+)?\.internal$/
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
  /** What position topics on the source tell. */
  #told: readonly MirrorScope[] = []
  #notes: readonly string[] = []

  constructor(options: ScopeOptions) {
    this.#options = options
  }

  /** Looks for mirrors that write to our source. Rejects with `mirror-circle` when records would come round. */
  async check(signal: AbortSignal): Promise<void> {
    this.#refs = await this.#identify(signal)
    const metadata = await this.#options.source.metadata(signal)
    await this.#learn(metadata, signal)
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
    const place = { topic: positionsTopic, partition: 0 }
    const [{ scope: own }, mirrors] = this.#legs()
    const upstream = mirrors.flatMap(({ scope }) => (scope === own ? [] : [scope]))
    await appendRecord(target, place, encodeScopes(own, upstream, now()), signal)
    try {
      await this.check(signal)
    } catch (error) {
      if (toFault(error).code === 'mirror-circle') {
        await appendRecord(target, place, scopeTombstone(now()), signal)
      }
      throw error
    }
  }

  /** Which topics are copied, as far as is known of other mirrors. */
  planner(): Planner {
    return new Planner(...this.#legs(), this.#notes)
  }

  /** Ours, and all: those of the config, and those of other processes that the config does not have. */
  #legs(): [Leg, Leg[]] {
    const { mirrors, instance, prefixOf } = this.#options
    const refOf = (name: string) => this.#refs.get(name) ?? { key: name, name }
    const config = scopesOf(mirrors, prefixOf, refOf).map(legOf)
    const mine = config[Object.keys(mirrors).indexOf(instance)]
    if (mine === undefined) throw new Fault('config-invalid', `the config has no [mirror.${instance}]`)
    const known = new Set(config.map(({ scope }) => identity(scope)))
    const told = new Map(this.#told.map((scope) => [identity(scope), scope]))
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

  async #learn({ topics }: Metadata, signal: AbortSignal): Promise<void> {
    const notes: string[] = []
    const read = [...topics.keys()]
      .filter((topic) => POSITIONS.test(topic))
      .map(async (topic) => {
        try {
          return await this.#read(topic, signal)
        } catch (error) {
          signal.throwIfAborted()
          const fault = toFault(error)
          if (fault.retryable) throw fault
          const { name } = this.#options.source
          notes.push(
            `whether ${topic} on ${name} is of a mirror that closes a circle cannot be told: ${fault.message}`
          )
          return []
        }
      })
    this.#told = (await Promise.all(read)).flat()
    this.#notes = notes
  }

  /** What the mirror with these positions tells: nothing before its first start, and after one that was refused. */
  async #read(topic: string, signal: AbortSignal): Promise<MirrorScope[]> {
    const { source, transactionTimeoutMs } = this.#options
    let last: Buffer | null = null
    await readInternal({
      cluster: source,
      topic,
      partition: 0,
      signal,
      transactionTimeoutMs,
      onRecord: ({ key, value }) => {
        if (key?.toString() === SCOPE_KEY) last = value
      }
    })
    return last === null ? [] : decodeScopes(last).filter(isReadable)
  }

  #fault(circle: Parameters<typeof describeCircle>[0]): Fault {
    const strangers = circle.mirrors.filter((name) => this.#told.some((scope) => scope.name === name))
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
