import { closest } from 'fastest-levenshtein'
import { tablesOf } from './document.ts'
import { type ConfigFault, keyOf, notAllowed } from './faults.ts'
import { checkMirrors } from './mirrors.ts'

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
    ...loadedFormats(document),
    ...selfMirrors(document),
    ...checkMirrors(document)
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

/** The loader reads Parquet only. */
function* loadedFormats(document: unknown): Iterable<ConfigFault> {
  const sinks = tablesOf(document, 's3_sink')
  for (const [name, { from }] of tablesOf(document, 'redshift_loader')) {
    const format = typeof from === 'string' ? sinks.get(from.replace(/^s3_sink\./, ''))?.format : undefined
    if (format === undefined || format === 'parquet') continue
    yield {
      key: keyOf(['redshift_loader', name, 'from']),
      problem: notAllowed(from, 'a sink whose format is "parquet"')
    }
  }
}

function* selfMirrors(document: unknown): Iterable<ConfigFault> {
  for (const [name, { from, to }] of tablesOf(document, 'mirror')) {
    if (typeof to === 'string' && from === to) {
      yield { key: keyOf(['mirror', name, 'to']), problem: notAllowed(to, 'a cluster other than `from`') }
    }
  }
}
