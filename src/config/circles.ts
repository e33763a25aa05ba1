import { cameFrom, isInternalName, type Naming, targetNamer } from './naming.ts'
import { topicMatcher } from './topics.ts'

/** A mirror, as far as it matters to where a topic's records go. */
export interface MirrorScope {
  /** What a fault calls it, for example `[mirror.cloud]`. */
  readonly name: string
  readonly from: ClusterRef
  readonly to: ClusterRef
  readonly topics: readonly string[]
  readonly exclude: readonly string[]
  readonly naming: Naming
  /** How the names begin of topics that came from `to`: with naming by prefix, they are not copied back. */
  readonly origins: readonly string[]
}

export interface ClusterRef {
  /** The same for the same cluster, however it is called: its id where that is known. */
  readonly key: string
  /** What people call it. */
  readonly name: string
}

/** A topic on one of the clusters. */
export interface Place {
  readonly cluster: ClusterRef
  readonly topic: string
}

/** The way of a record that comes round: the places, each reached from the one before by a mirror. */
export interface Circle {
  readonly places: readonly Place[]
  /** Those on the way; one fewer than places. */
  readonly mirrors: readonly string[]
}

/** A mirror with its patterns compiled. */
export interface Leg {
  readonly scope: MirrorScope
  readonly copies: (topic: string) => boolean
  readonly rename: (topic: string) => string
}

/** Throws a `SyntaxError` when a pattern is no regular expression. */
export function legOf(scope: MirrorScope): Leg {
  const isChosen = topicMatcher(scope.topics, scope.exclude)
  const returns = (topic: string) => scope.naming.type === 'prefix' && cameFrom(topic, scope.origins)
  return {
    scope,
    copies: (topic) => isChosen(topic) && !isInternalName(topic) && !returns(topic),
    rename: targetNamer(scope.naming)
  }
}

/**
 * Follows a topic through the mirrors and finds where it would come back: to a place where it was, or, with a prefix more
 * each time, through a mirror that it went through before. Then every record would be copied for ever.
 *
 * @param through only circles that this mirror is part of count
 */
export function findCircle(legs: readonly Leg[], start: Place, through?: Leg): Circle | undefined {
  const harmless = new Set<string>()
  const follow = (places: readonly Place[], taken: readonly Leg[]): Circle | undefined => {
    const here = places.at(-1) ?? start
    for (const leg of legs) {
      if (leg.scope.from.key !== here.cluster.key || !leg.copies(here.topic)) continue
      const next = { cluster: leg.scope.to, topic: leg.rename(here.topic) }
      const grows = leg.scope.naming.type === 'prefix'
      const since = grows ? taken.indexOf(leg) : places.findIndex((place) => keyOf(place) === keyOf(next))
      if (since >= 0) {
        const isMeant = through === undefined || leg === through || taken.includes(through, since)
        if (isMeant) return circle([...places, next], [...taken, leg], since)
        continue
      }
      if (harmless.has(keyOf(next))) continue
      const found = follow([...places, next], [...taken, leg])
      if (found !== undefined) return found
    }
    harmless.add(keyOf(here))
    return undefined
  }
  return follow([start], [])
}

/** `t on onprem → t on aws ([mirror.cloud]) → t on onprem ([mirror.back])` */
export function describeCircle({ places, mirrors }: Circle): string {
  return places
    .map(({ topic, cluster }, index) => {
      const by = mirrors[index - 1]
      return `${topic} on ${cluster.name}${by === undefined ? '' : ` (${by})`}`
    })
    .join(' → ')
}

function circle(places: readonly Place[], taken: readonly Leg[], since: number): Circle {
  return { places: places.slice(since), mirrors: taken.slice(since).map(({ scope }) => scope.name) }
}

function keyOf({ cluster, topic }: Place): string {
  return `${cluster.key}\0${topic}`
}
