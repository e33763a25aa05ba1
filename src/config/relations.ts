import type * as z from 'zod'
import { type Table, tableOf, tablesOf } from './document.ts'
import { type ConfigFault, keyOf, notAllowed } from './faults.ts'
import { backoffMax, backoffMin } from './schema.ts'
import { rotateAge, rotateAgeMax } from './schema-layout.ts'
import { lanes, naming } from './schema-mirror.ts'
import { listen } from './schema-places.ts'
import { commitInterval, quarantineMax, quarantineMin, shards, transactionTimeout } from './schema-roles.ts'
import { takeOver, whatNamingLacks } from './schema-takeover.ts'

/** What one key of a table says about another key of the same table. */
export function checkRelations(document: unknown): ConfigFault[] {
  return [
    ...checkOrders(document),
    ...checkToken(document),
    ...checkPairs(document),
    ...checkLanes(document),
    ...checkTakeOvers(document),
    ...checkDeadLetters(document)
  ]
}

/** Whether only this machine can connect to the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

interface Order {
  readonly low: string
  readonly lowField: z.ZodType<number>
  readonly high: string
  readonly highField: z.ZodType<number>
  /** How many times `low` must fit into `high`. */
  readonly ratio: number
}

/** A transaction that is slow to commit must not be aborted by its age. */
const commitOrder: Order = {
  low: 'commit_interval',
  lowField: commitInterval(),
  high: 'transaction_timeout',
  highField: transactionTimeout(),
  ratio: 3
}
const quarantineOrder: Order = {
  low: 'quarantine_min',
  lowField: quarantineMin(),
  high: 'quarantine_max',
  highField: quarantineMax(),
  ratio: 1
}
const rotationOrder: Order = {
  low: 'rotate_age',
  lowField: rotateAge(),
  high: 'rotate_age_max',
  highField: rotateAgeMax(),
  ratio: 1
}
const backoffOrder: Order = {
  low: 'backoff_min',
  lowField: backoffMin(),
  high: 'backoff_max',
  highField: backoffMax(),
  ratio: 1
}

function* checkOrders(document: unknown): Iterable<ConfigFault> {
  yield* checkOrder(['restart'], tableOf(document, 'restart'), backoffOrder)
  for (const section of ['ingest', 'mirror']) {
    for (const [name, table] of tablesOf(document, section)) {
      yield* checkOrder([section, name], table, commitOrder)
      if (section === 'mirror') yield* checkOrder([section, name], table, quarantineOrder)
    }
  }
  for (const section of ['hdfs_sink', 's3_sink']) {
    for (const [name, table] of tablesOf(document, section)) {
      yield* checkOrder([section, name], table, rotationOrder)
    }
  }
}

/** Two values, defaults included, are in order. Blames one that the file gives; a value wrong in itself is passed over. */
function* checkOrder(path: readonly string[], table: Table, order: Order): Iterable<ConfigFault> {
  const { low, lowField, high, highField, ratio } = order
  const [least, most] = [lowField.safeParse(table[low]).data, highField.safeParse(table[high]).data]
  if (least === undefined || most === undefined || ratio * least <= most) return
  const times = ratio === 1 ? '' : `${ratio} × `
  const share = ratio === 1 ? '' : ` / ${ratio}`
  const [key, allowed] =
    table[low] === undefined
      ? [high, `a duration not shorter than ${times}${low} (${ratio * least}ms)`]
      : [low, `a duration not longer than ${high}${share} (${Math.floor(most / ratio)}ms)`]
  yield { key: keyOf([...path, key]), problem: notAllowed(table[key], allowed) }
}

function* checkToken(document: unknown): Iterable<ConfigFault> {
  const http = tableOf(document, 'http')
  const address = listen().safeParse(http.listen).data
  if (address === undefined || isLoopback(address.host) || http.token !== undefined) return
  yield missing(['http', 'token'], 'a secret, required because http.listen is not a loopback address')
}

function* checkPairs(document: unknown): Iterable<ConfigFault> {
  for (const [name, cluster] of tablesOf(document, 'cluster')) {
    const half = missingHalf(tableOf(cluster, 'tls'), 'cert', 'key')
    if (half) yield missing(['cluster', name, 'tls', half], 'a PEM file; cert and key go together')
  }
  for (const [name, store] of tablesOf(document, 'store')) {
    const half = missingHalf(store, 'access_key_id', 'secret_access_key')
    if (half)
      yield missing(['store', name, half], 'a secret; access_key_id and secret_access_key go together')
    if (store.kms_key === undefined || store.sse === 'kms') continue
    yield {
      key: keyOf(['store', name, 'kms_key']),
      problem: notAllowed(store.kms_key, 'none, unless sse = "kms"')
    }
  }
}

/** A lane without a shard would have nothing to do. */
function* checkLanes(document: unknown): Iterable<ConfigFault> {
  for (const [name, mirror] of tablesOf(document, 'mirror')) {
    const [least, most] = [lanes().safeParse(mirror.lanes).data, shards().safeParse(mirror.shards).data]
    if (least === undefined || most === undefined || least <= most) continue
    const problem = notAllowed(mirror.lanes, `a number not above shards (${most})`)
    yield { key: keyOf(['mirror', name, 'lanes']), problem }
  }
}

/** Dead letters that are read again would become dead letters for ever. */
function* checkDeadLetters(document: unknown): Iterable<ConfigFault> {
  for (const section of ['hdfs_sink', 's3_sink']) {
    for (const [name, sink] of tablesOf(document, section)) {
      const { topic } = tableOf(sink, 'dead_letters')
      if (!Array.isArray(sink.topics) || !sink.topics.includes(topic)) continue
      const key = keyOf([section, name, 'dead_letters', 'topic'])
      yield { key, problem: notAllowed(topic, 'a topic that is not one of topics') }
    }
  }
}

/** Copies go on in the topics that they are in. */
function* checkTakeOvers(document: unknown): Iterable<ConfigFault> {
  for (const [name, mirror] of tablesOf(document, 'mirror')) {
    const names = naming().safeParse(mirror.naming).data
    const mm2 = takeOver().safeParse(mirror.take_over).data?.mm2
    const allowed = names && mm2 && whatNamingLacks(names, mm2)
    if (allowed === undefined) continue
    yield {
      key: keyOf(['mirror', name, 'naming']),
      problem: notAllowed(mirror.naming ?? 'identity', `${allowed}, because of take_over`)
    }
  }
}

function missingHalf(table: Table, one: string, other: string): string | undefined {
  if ((table[one] === undefined) === (table[other] === undefined)) return undefined
  return table[one] === undefined ? one : other
}

function missing(path: readonly string[], allowed: string): ConfigFault {
  return { key: keyOf(path), problem: `is missing; allowed: ${allowed}` }
}
