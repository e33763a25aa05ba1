import {
  type Circle,
  type ClusterRef,
  describeCircle,
  findCircle,
  type Leg,
  legOf,
  type MirrorScope
} from './circles.ts'
import { tablesOf } from './document.ts'
import { type ConfigFault, keyOf } from './faults.ts'
import { topicPatterns } from './fields.ts'
import { samplesOf } from './samples.ts'
import { naming } from './schema-mirror.ts'
import type { MirrorConfig, Named } from './types.ts'

type Scoped = Pick<MirrorConfig, 'from' | 'to' | 'topics' | 'exclude' | 'naming'>

const byName = (name: string): ClusterRef => ({ key: name, name })

/**
 * The scopes of a config's mirrors, in its order. What came from a cluster bears its name, or the prefix of a mirror that
 * reads it.
 *
 * @param nameOf what a mirror is called in faults
 */
export function scopesOf(
  mirrors: Named<Scoped>,
  nameOf: (instance: string) => string,
  refOf: (cluster: string) => ClusterRef
): MirrorScope[] {
  const all = Object.entries(mirrors)
  return all.map(([instance, { from, to, ...scope }]) => {
    const prefixes = all.flatMap(([, other]) =>
      refOf(other.from).key === refOf(to).key && other.naming.type === 'prefix' ? [other.naming.prefix] : []
    )
    const origins = [...new Set([`${to}.`, ...prefixes])]
    return { name: nameOf(instance), from: refOf(from), to: refOf(to), ...scope, origins }
  })
}

/** A circle that goes through one of the mirrors, as far as names that the patterns themselves suggest can show it. */
export function findSampleCircle(legs: readonly Leg[], through?: Leg): Circle | undefined {
  const names = new Set(legs.flatMap(({ scope }) => namesIn(scope)))
  for (const { scope } of legs) {
    for (const topic of names) {
      const circle = findCircle(legs, { cluster: scope.from, topic }, through)
      if (circle !== undefined) return circle
    }
  }
  return undefined
}

/** Mirrors of one config that pass records round, and mirrors that put two topics into one. */
export function checkMirrors(document: unknown): ConfigFault[] {
  const mirrors = readable(document)
  return [...checkCollisions(mirrors), ...checkCircles(mirrors)]
}

function* checkCircles(mirrors: Named<Scoped>): Iterable<ConfigFault> {
  const nameOf = (instance: string) => `[mirror.${instance}]`
  const circle = findSampleCircle(scopesOf(mirrors, nameOf, byName).map(legOf))
  if (circle === undefined) return
  const last = Object.keys(mirrors).findLast((instance) => circle.mirrors.includes(nameOf(instance)))
  const allowed = 'topics that do not come back, or naming by a prefix on both ways'
  const problem = `copies in a circle: ${describeCircle(circle)}; allowed: ${allowed}`
  yield { key: keyOf(['mirror', last ?? '', 'topics']), problem }
}

function* checkCollisions(mirrors: Named<Scoped>): Iterable<ConfigFault> {
  for (const [instance, { topics, exclude, naming: names }] of Object.entries(mirrors)) {
    if (names.type !== 'map') continue
    for (const [source, target] of Object.entries(names.names)) {
      if (source === target || target in names.names) continue
      if (!topics.includes(target) || exclude.includes(target)) continue
      const problem = `= ${JSON.stringify(target)} is not allowed; allowed: a name that no other topic has on the target, and ${JSON.stringify(target)} keeps its own`
      yield { key: keyOf(['mirror', instance, 'naming', 'map', source]), problem }
    }
  }
}

function namesIn({ topics, exclude, naming: names }: MirrorScope): string[] {
  const renamed = names.type === 'map' ? Object.entries(names.names).flat() : []
  return [...topics.flatMap(samplesOf), ...exclude.flatMap(samplesOf), ...renamed]
}

/** The mirrors whose keys here are in order; what is wrong with the others is the schema's to tell. */
function readable(document: unknown): Named<Scoped> {
  const found: Record<string, Scoped> = Object.create(null)
  for (const [instance, table] of tablesOf(document, 'mirror')) {
    const { from, to } = table
    const topics = topicPatterns(1).default(['.*']).safeParse(table.topics).data
    const exclude = topicPatterns(0).default([]).safeParse(table.exclude).data
    const names = naming().safeParse(table.naming).data
    const isRead = topics !== undefined && exclude !== undefined && names !== undefined
    if (typeof from !== 'string' || typeof to !== 'string' || from === to || !isRead) continue
    found[instance] = { from, to, topics, exclude, naming: names }
  }
  return found
}
