import { closest } from 'fastest-levenshtein'
import { type Table, tablesOf } from './document.ts'
import { type ConfigFault, keyOf, notAllowed } from './faults.ts'

/**
 * What one table of a config says about another: named clusters, stores, warehouses and sinks exist and fit.
 */
export function checkReferences(document: unknown): ConfigFault[] {
  const stores = tablesOf(document, 'store')
  const storesOf = (type: string) =>
    [...stores].filter(([, store]) => store.type === type).map(([store]) => store)
  const clusters = [...tablesOf(document, 'cluster').keys()]
  const warehouses = [...tablesOf(document, 'warehouse').keys()]
  const sinks = [...tablesOf(document, 's3_sink').keys()].map((sink) => `s3_sink.${sink}`)

  return [
    ...refer(document, 'ingest', 'cluster', '[cluster.NAME]', clusters),
    ...refer(document, 'mirror', 'from', '[cluster.NAME]', clusters),
    ...refer(document, 'mirror', 'to', '[cluster.NAME]', clusters),
    ...refer(document, 'hdfs_sink', 'cluster', '[cluster.NAME]', clusters),
    ...refer(document, 's3_sink', 'cluster', '[cluster.NAME]', clusters),
    ...refer(document, 'hdfs_sink', 'store', '[store.NAME] of type "hdfs"', storesOf('hdfs')),
    ...refer(document, 's3_sink', 'store', '[store.NAME] of type "s3"', storesOf('s3')),
    ...refer(document, 'redshift_loader', 'from', '[s3_sink.NAME]', sinks),
    ...refer(document, 'redshift_loader', 'warehouse', '[warehouse.NAME]', warehouses),
    ...selfMirrors(document),
    ...circularMirrors(document)
  ]
}

function* refer(
  document: unknown,
  section: string,
  key: string,
  what: string,
  existing: readonly string[]
): Iterable<ConfigFault> {
  for (const [name, table] of tablesOf(document, section)) {
    const given = table[key]
    if (typeof given !== 'string' || existing.includes(given)) continue
    const allowed =
      existing.length === 0
        ? `the name of a ${what}, and the config has none`
        : `${existing.map((each) => `"${each}"`).join(', ')} (nearest: "${closest(given, existing)}")`
    yield { key: keyOf([section, name, key]), problem: notAllowed(given, allowed) }
  }
}

function* selfMirrors(document: unknown): Iterable<ConfigFault> {
  for (const [name, { from, to }] of tablesOf(document, 'mirror')) {
    if (typeof to === 'string' && from === to) {
      yield { key: keyOf(['mirror', name, 'to']), problem: notAllowed(to, 'a cluster other than `from`') }
    }
  }
}

/** Two opposite mirrors of the same topics would copy every record round and round for ever. */
function* circularMirrors(document: unknown): Iterable<ConfigFault> {
  const mirrors = [...tablesOf(document, 'mirror')]
  for (const [index, [name, forth]] of mirrors.entries()) {
    for (const [other, back] of mirrors.slice(0, index)) {
      if (forth.from !== back.to || forth.to !== back.from || forth.from === forth.to) continue
      const shared = patternsOf(forth).find((pattern) => patternsOf(back).includes(pattern))
      if (shared === undefined) continue
      const allowed = `topics that [mirror.${other}] does not copy the other way`
      yield {
        key: keyOf(['mirror', name, 'topics']),
        problem: `copies ${JSON.stringify(shared)} in a circle; allowed: ${allowed}`
      }
    }
  }
}

/** The patterns of a mirror; without the ones that its exclusions name literally. */
function patternsOf(mirror: Table): readonly unknown[] {
  const topics: readonly unknown[] = Array.isArray(mirror.topics) ? mirror.topics : ['.*']
  const exclude: readonly unknown[] = Array.isArray(mirror.exclude) ? mirror.exclude : []
  return exclude.length === 0 ? topics : topics.filter((topic) => topic !== '.*' && !exclude.includes(topic))
}
