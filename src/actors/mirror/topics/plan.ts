import { describeCircle, findCircle, type Leg } from '../../../config/circles.ts'
import { cameFrom, isInternalName, isTopicName } from '../../../config/naming.ts'
import { topicMatcher } from '../../../config/topics.ts'
import type { Metadata } from '../../kafka/cluster.ts'

/** A topic to be copied. */
export interface PlannedTopic {
  readonly name: string
  /** What it is called on the target. */
  readonly target: string
  /** Why it is not copied although it is chosen. */
  readonly hold?: string
}

export interface Plan {
  /** By name. */
  readonly topics: readonly PlannedTopic[]
  readonly notes: readonly string[]
}

/** Names in one note. */
const NAMED_MAX = 5

/** Which of the source's topics are copied, and to where. */
export class Planner {
  readonly #mirror: Leg
  readonly #mirrors: readonly Leg[]
  readonly #notes: readonly string[]
  readonly #isChosen: (topic: string) => boolean
  /** Circles by the topic that they begin with. */
  readonly #circles = new Map<string, string | undefined>()

  /**
   * @param mirror the mirror that asks
   * @param mirrors all that are known, it included
   * @param notes what an operator should know of them
   */
  constructor(mirror: Leg, mirrors: readonly Leg[], notes: readonly string[] = []) {
    this.#mirror = mirror
    this.#mirrors = mirrors
    this.#notes = notes
    this.#isChosen = topicMatcher(mirror.scope.topics, mirror.scope.exclude)
  }

  plan({ topics }: Metadata): Plan {
    const isThere = (name: string) => {
      const topic = topics.get(name)
      return topic !== undefined && !topic.internal && topic.error === 0
    }
    const names = [...topics.keys()].filter((name) => isThere(name) && this.#mirror.copies(name)).sort()
    const owners = this.#owners(names)
    const planned = names.map((name): PlannedTopic => {
      const target = this.#mirror.rename(name)
      const hold = this.#holdOf(name, target, owners)
      return { name, target, ...(hold === undefined ? {} : { hold }) }
    })
    return { topics: planned, notes: [...this.#notes, ...this.#returning([...topics.keys()])] }
  }

  /** Topics that the config names but the source did not tell of. */
  missing({ topics }: Metadata): string[] {
    return this.#mirror.scope.topics.filter((name) => isTopicName(name) && !topics.has(name))
  }

  /** Who gets a name on the target: a topic that the config gives it comes before one that merely has it. */
  #owners(names: readonly string[]): Map<string, string> {
    const owners = new Map<string, string>()
    for (const name of names) {
      const target = this.#mirror.rename(name)
      if (!owners.has(target) || target !== name) owners.set(target, name)
    }
    return owners
  }

  #holdOf(name: string, target: string, owners: ReadonlyMap<string, string>): string | undefined {
    const { to } = this.#mirror.scope
    const owner = owners.get(target)
    if (owner !== name)
      return `topic ${target} on ${to.name} is the copy of ${owner}: two topics cannot share it`
    if (!isTopicName(target)) return `${target} is no topic name`
    return this.circleOf(name)
  }

  /** The circle that a topic would go round in, in words. */
  circleOf(topic: string): string | undefined {
    if (this.#circles.has(topic)) return this.#circles.get(topic)
    const circle = findCircle(this.#mirrors, { cluster: this.#mirror.scope.from, topic }, this.#mirror)
    const words =
      circle === undefined ? undefined : `it would go round in a circle: ${describeCircle(circle)}`
    this.#circles.set(topic, words)
    return words
  }

  #returning(names: readonly string[]): string[] {
    const { naming, origins, to } = this.#mirror.scope
    if (naming.type !== 'prefix') return []
    const chosen = names.filter((name) => this.#isChosen(name) && !isInternalName(name))
    const returning = chosen.filter((name) => cameFrom(name, origins)).sort()
    if (returning.length === 0) return []
    const more = returning.length > NAMED_MAX ? ` and ${returning.length - NAMED_MAX} more` : ''
    const which = `${returning.slice(0, NAMED_MAX).join(', ')}${more}`
    return [`not copied back to ${to.name}, where by their names they came from: ${which}`]
  }
}
