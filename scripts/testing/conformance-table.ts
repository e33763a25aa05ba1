import type { Results, TestResult } from './results.ts'

/**
 * The conformance suites' results as tables: a line per property, a column per subject (the embedded service and each
 * real one that ran the same file). A suite names its subjects in the outermost describe: `<protocol> on <subject>`.
 */
export interface ConformanceTable {
  readonly protocol: string
  readonly subjects: readonly string[]
  readonly rows: readonly { readonly property: string; readonly cells: readonly string[] }[]
}

/** Stands where a subject did not run a property that others ran. */
export const ABSENT = '–'

const SUBJECT = /^(?<protocol>.+?) on (?<subject>.+)$/

export function conformanceTables(results: readonly Results[]): ConformanceTable[] {
  const protocols = new Map<string, Map<string, Map<string, string>>>()
  for (const file of results.flatMap(({ testResults }) => testResults)) {
    if (!/\/test\/conformance\/[^/]+\.test\.ts$/.test(file.name)) continue
    for (const test of file.assertionResults) record(protocols, test)
  }
  return [...protocols].map(([protocol, properties]) => tableOf(protocol, properties))
}

function record(protocols: Map<string, Map<string, Map<string, string>>>, test: TestResult): void {
  const [outermost = '', ...path] = test.ancestorTitles
  const { protocol = '', subject = '' } = SUBJECT.exec(outermost)?.groups ?? {}
  if (protocol === '') return
  const properties = getOrAdd(protocols, protocol, () => new Map<string, Map<string, string>>())
  const cells = getOrAdd(properties, [...path, test.title].join(': '), () => new Map<string, string>())
  cells.set(subject, test.status)
}

function tableOf(
  protocol: string,
  properties: ReadonlyMap<string, ReadonlyMap<string, string>>
): ConformanceTable {
  const subjects = [...new Set([...properties.values()].flatMap((cells) => [...cells.keys()]))]
  const rows = [...properties].map(([property, cells]) => ({
    property,
    cells: subjects.map((subject) => cells.get(subject) ?? ABSENT)
  }))
  return { protocol, subjects, rows }
}

/** Markdown: the properties, and how many of them each subject passed. */
export function printTable({ protocol, subjects, rows }: ConformanceTable): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const passed = subjects.map((_, index) => rows.filter(({ cells }) => cells[index] === 'passed').length)
  return [
    `## ${protocol}`,
    '',
    line(['property', ...subjects]),
    line(['---', ...subjects.map(() => '---')]),
    ...rows.map(({ property, cells }) => line([property, ...cells])),
    line(['passed', ...passed.map(String)]),
    ''
  ].join('\n')
}

/**
 * What keeps the subjects from being equal: a cell that is not `passed`, unless a suite has said beforehand that the
 * subject lacks the property (`lacking`, as `<protocol> on <subject>: <property>`).
 */
export function inequalities(
  { protocol, subjects, rows }: ConformanceTable,
  lacking: Readonly<Record<string, string>>
): string[] {
  return rows.flatMap(({ property, cells }) =>
    cells.flatMap((cell, index) => {
      const what = `${protocol} on ${subjects[index]}: ${property}`
      if (cell === 'passed' || (cell === ABSENT && what in lacking)) return []
      return [`${what}: ${cell === ABSENT ? 'not run' : cell}`]
    })
  )
}

function getOrAdd<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}
