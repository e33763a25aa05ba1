import type { LifecycleRule, S3Client } from '@aws-sdk/client-s3'
import type { Config, S3StoreConfig } from '../../config.ts'
import { Fault } from '../../errors.ts'
import { clientOptions, createClient } from './client.ts'
import { type BucketLifecycle, demandKnown, readLifecycle, writeLifecycle } from './lifecycle.ts'
import {
  dangersOf,
  describeRule,
  type LifecycleScope,
  type MergedRules,
  mergeRules,
  type RuleDanger,
  wantedRules
} from './lifecycle-rules.ts'

/** What is to be done to the lifecycle of one bucket. */
export interface BucketPlan extends Place {
  readonly found: BucketLifecycle
  readonly merged: MergedRules
  readonly dangers: readonly RuleDanger[]
}

/** A bucket, and the sinks that write into it. */
interface Place {
  readonly store: S3StoreConfig
  readonly scopes: readonly LifecycleScope[]
}

/** Everything that is asked of a bucket here can be asked again. */
const ATTEMPTS = 3

/** Reads the lifecycle of every bucket that the config's S3 sinks write into, and says what it should be. */
export async function planLifecycles(config: Config, signal: AbortSignal): Promise<BucketPlan[]> {
  const places = placesOf(config)
  if (places.length === 0) throw new Fault('arguments-invalid', 'the config has no [s3_sink.NAME]')
  const plans: BucketPlan[] = []
  for (const place of places) {
    const { store, scopes } = place
    const found = await withClient(store, (client) => readLifecycle(client, store.bucket, signal))
    const merged = mergeRules(found.rules, wantedRules(scopes, found.traits), scopes)
    plans.push({ ...place, found, merged, dangers: dangersOf(found.rules, scopes) })
  }
  return plans
}

/** Throws unless the plan can be carried out and nobody is harmed. */
export function demandApplicable({ store, scopes, found, merged, dangers }: BucketPlan): void {
  const expires = scopes.some(({ sinks }) => sinks.some(({ ttlMs }) => ttlMs !== undefined))
  if (!found.supported && expires) {
    const what = `${uriOf(store)}: its store has no lifecycles (501), so nothing can expire there by ttl`
    throw new Fault('lifecycle-unsupported', what)
  }
  if (merged.differs) demandKnown(found, store.bucket)
  const danger = dangers.find(({ of }) => of === 'log')
  if (danger === undefined) return
  const what = `${uriOf(store)}: the rule "${danger.ruleId}" expires or archives ${danger.prefix}`
  throw new Fault('lifecycle-endangers-log', `${what}, where the commit log is; narrow that rule first`)
}

/** Writes what is planned, and resolves with what is to be said of it. */
export async function applyPlan(
  { store, found, merged: { rules, differs } }: BucketPlan,
  signal: AbortSignal
): Promise<string> {
  const uri = uriOf(store)
  if (!found.supported) return `${uri}: its store has no lifecycles; nothing is written`
  if (!differs) return `${uri}: all rules are there; nothing is written`
  const { transitionMinimum } = found
  const astray = await withClient(store, (client) =>
    writeLifecycle(client, store.bucket, { rules, transitionMinimum }, signal)
  )
  if (astray.length === 0) return `${uri}: ${rules.length} rules written and read back`
  const ids = astray.map(({ ID }) => ID ?? '(no id)').join(', ')
  throw new Fault('lifecycle-not-kept', `${uri}: written, but these rules are not read back so: ${ids}`)
}

const SIGNS = { added: '+', changed: '~', removed: '-', converted: '~', kept: ' ' } as const

/** A plan for people. */
export function linesOf({ store, found, merged, dangers }: BucketPlan): string[] {
  const { traits } = found
  const lines = [`${uriOf(store)}${traits.versioned ? ' (versioned)' : ''}`]
  for (const { fate, rule } of merged.changes) {
    lines.push(`  ${SIGNS[fate]} ${fate.padEnd(9)} ${rule.ID ?? '(no id)'}  ${describeRule(rule)}`)
  }
  const remarks = dangers.map(({ ruleId, prefix, of }) =>
    of === 'log'
      ? `the rule "${ruleId}" takes the commit log: ${prefix}`
      : `the rule "${ruleId}" takes files before their time: ${prefix}`
  )
  if (!found.supported) remarks.push('the store has no lifecycles (501): all of this is left out')
  else if (!traits.abortsUploads) {
    remarks.push(
      'left out: rules for unfinished uploads, which MinIO refuses; it has api.stale_uploads_expiry'
    )
  }
  if (found.unknown.length > 0) {
    remarks.push(`rules have ${found.unknown.join(', ')}, which would be lost: --apply refuses`)
  }
  return [...lines, ...remarks.map((remark) => `  ! ${remark}`)]
}

/** The whole lifecycle as `aws s3api put-bucket-lifecycle-configuration` takes it. */
export function jsonOf({ store, merged }: BucketPlan): {
  readonly Bucket: string
  readonly LifecycleConfiguration: { readonly Rules: readonly LifecycleRule[] }
} {
  return { Bucket: store.bucket, LifecycleConfiguration: { Rules: merged.rules } }
}

/** Two stores may be two prefixes of one bucket. */
function placesOf(config: Config): Place[] {
  const places = new Map<string, Place>()
  for (const [name, store] of Object.entries(config.stores)) {
    if (store.type !== 's3') continue
    const sinks = Object.entries(config.s3Sinks)
      .filter(([, sink]) => sink.store === name)
      .map(([instance, { ttlMs }]) => ({ sink: `${config.name}.${instance}`, ttlMs }))
    if (sinks.length === 0) continue
    const key = JSON.stringify([store.endpoint, store.bucket])
    const place = places.get(key) ?? { store, scopes: [] }
    const same = place.scopes.find(({ prefix }) => prefix === store.prefix)
    const scope = { prefix: store.prefix, sinks: [...(same?.sinks ?? []), ...sinks] }
    places.set(key, { ...place, scopes: [...place.scopes.filter((one) => one !== same), scope] })
  }
  return [...places.values()]
}

async function withClient<T>(store: S3StoreConfig, use: (client: S3Client) => Promise<T>): Promise<T> {
  const client = createClient(clientOptions(store), ATTEMPTS)
  try {
    return await use(client)
  } finally {
    client.destroy()
  }
}

function uriOf({ bucket }: S3StoreConfig): string {
  return `s3://${bucket}`
}
