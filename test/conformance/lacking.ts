import { lackingOfObjectStores } from './object-store/lacking.ts'
import { lackingOfSinks, lackingOfStores } from './store/lacking.ts'

/**
 * What a real service cannot do, with the reason: `<protocol> on <subject>: <property>`, the property as its titles
 * joined by `: `. The suites leave these out for that subject, and the printed table says why.
 */
export const lacking: Readonly<Record<string, string>> = {
  ...lackingOfObjectStores,
  ...lackingOfStores,
  ...lackingOfSinks
}

/** Whether this subject is expected to hold the property; suites register only such tests. */
export function holds(subject: string, property: string): boolean {
  return !(`${subject}: ${property}` in lacking)
}
