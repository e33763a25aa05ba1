import { patternOf } from '../../../config/topics.ts'
import type { ConfigChange, ConfigEntries } from '../../kafka/admin.ts'

/**
 * What of a source topic's configs its copy shall have. As with MirrorMaker 2: what is set for the topic itself is set
 * there, too, and what is not is left to the target's own defaults. Those that decide what is kept are the exception: the
 * target must never keep less than the source.
 */

/** A number that means "without limit" below zero, or a word. */
const KEPT = ['cleanup.policy', 'retention.ms', 'retention.bytes', 'max.message.bytes'] as const

export function excludedConfigs(patterns: readonly string[]): (name: string) => boolean {
  const expressions = patterns.map(patternOf)
  return (name) => expressions.some((expression) => expression.test(name))
}

/** The configs that a topic is created with: the source topic's own, and whatever decides what is kept, or that alone. */
export function initialConfigs(
  source: ConfigEntries,
  isExcluded: (name: string) => boolean,
  which: 'own' | 'kept' = 'own'
): Record<string, string> {
  const kept = new Set<string>(KEPT)
  const isChosen = (name: string, isOwn: boolean) => (isOwn && which === 'own') || kept.has(name)
  const chosen = [...source].filter(([name, { isOwn }]) => isChosen(name, isOwn) && !isExcluded(name))
  return Object.fromEntries(chosen.map(([name, { value }]) => [name, value]))
}

/** What the source's topic was given and brokers of the target's version do not know. */
export function unknownConfigs(
  source: ConfigEntries,
  target: ConfigEntries,
  isExcluded: (name: string) => boolean
): string[] {
  return [...source].flatMap(([name, { isOwn }]) =>
    isOwn && !target.has(name) && !isExcluded(name) ? [name] : []
  )
}

/** What makes a target topic's configs like its source's; nothing where they are, or where it does not know them. */
export function configChanges(
  source: ConfigEntries,
  target: ConfigEntries,
  isExcluded: (name: string) => boolean
): ConfigChange[] {
  const kept = new Set<string>(KEPT)
  const changes: ConfigChange[] = []
  for (const [name, { value, isOwn }] of source) {
    const there = target.get(name)
    if (isExcluded(name) || there === undefined || there.value === value) continue
    if (isOwn) changes.push({ name, value })
    else if (kept.has(name)) {
      if (there.isOwn || isLess(name, there.value, value)) changes.push({ name, value })
    } else if (there.isOwn) changes.push({ name, value: undefined })
  }
  return changes
}

/** Whether less is kept with one value than with another. */
function isLess(name: string, one: string, other: string): boolean {
  if (name === 'cleanup.policy') return one !== other
  const limit = (value: string) => (Number(value) < 0 ? Number.POSITIVE_INFINITY : Number(value))
  return limit(one) < limit(other)
}
