import { createHash } from 'node:crypto'
import type { LifecycleRule } from '@aws-sdk/client-s3'
import { Fault } from '../../errors.ts'
import { encodeName, sinkDataPrefix, sinkLogPrefix } from '../store/names.ts'
import { STAGING } from './staging.ts'

/**
 * The lifecycle of a bucket that sinks write into (docs/operations.md, "TTL on S3"). Everything here is pure: rules go in,
 * rules and what is to be said of them come out.
 */

/** What sinks of ours write below one prefix of a bucket. */
export interface LifecycleScope {
  /** The store's prefix, without slashes at its ends. */
  readonly prefix: string
  readonly sinks: readonly SinkLifetime[]
}

export interface SinkLifetime {
  /** `<config name>.<instance>` */
  readonly sink: string
  /** Absent: its files stay. */
  readonly ttlMs?: number | undefined
}

/** What a bucket and its store are like, as far as rules depend on it. */
export interface BucketTraits {
  /** It keeps, or once kept, older versions of its objects. */
  readonly versioned: boolean
  /** Its store gives up uploads by rule. MinIO does so by its own configuration, and refuses a rule that says only that. */
  readonly abortsUploads: boolean
  /** Files wait in `staging/` before they are copied to their place (`staging.ts`). */
  readonly stages: boolean
}

export const DAY_MS = 86_400_000
/** Longer than any restart takes; what an entry names and nobody published for so long is written anew from Kafka. */
const ABORT_DAYS = 7
/** Nobody reads what was overwritten or deleted. */
const NONCURRENT_DAYS = 1
/** Classes out of which an object must be restored before it can be read. */
const ARCHIVES = new Set<string | undefined>(['GLACIER', 'DEEP_ARCHIVE'])

/** The rules that a bucket should have for these sinks. Their ids say whose they are: `causeway/<sink>/<what>/<hash>`. */
export function wantedRules(scopes: readonly LifecycleScope[], traits: BucketTraits): LifecycleRule[] {
  return scopes.flatMap((scope) => [
    ...scope.sinks.flatMap((sink) => sinkRules(scope, sink, traits)),
    ...(traits.stages
      ? cleaningRules(`causeway/staging/${hashOf(scope)}`, `${rootOf(scope)}${STAGING}/`, traits, true)
      : [])
  ])
}

function sinkRules(scope: LifecycleScope, { sink, ttlMs }: SinkLifetime, traits: BucketTraits) {
  const root = rootOf(scope)
  const id = (what: string) => `causeway/${sink}/${what}/${hashOf(scope)}`
  const prefixes = { data: sinkDataPrefix(sink), dead: `dead/${encodeName(sink)}/` }
  return [
    ...Object.entries(prefixes).flatMap(([what, prefix]) =>
      ttlMs === undefined
        ? cleaningRules(id(what), root + prefix, traits, true)
        : expiringRules(id(what), root + prefix, daysOf(ttlMs), traits)
    ),
    // The log itself never expires. Its head is written anew with each entry, which versions pile up behind.
    ...cleaningRules(id('log'), root + sinkLogPrefix(sink), traits, false)
  ]
}

/** Days and delete markers cannot stand in one `Expiration`. */
function expiringRules(id: string, prefix: string, days: number, traits: BucketTraits): LifecycleRule[] {
  const expiring: LifecycleRule = {
    ...{ ID: id, Status: 'Enabled', Filter: { Prefix: prefix }, Expiration: { Days: days } },
    ...(traits.versioned && { NoncurrentVersionExpiration: { NoncurrentDays: NONCURRENT_DAYS } }),
    ...(traits.abortsUploads && { AbortIncompleteMultipartUpload: { DaysAfterInitiation: ABORT_DAYS } })
  }
  const markers = { ...traits, abortsUploads: false }
  return [expiring, ...cleaningRules(`${id}/markers`, prefix, markers, false)]
}

/** Removes what is not to be seen anyway: older versions, markers of deleted objects, uploads that nobody completes. */
function cleaningRules(id: string, prefix: string, traits: BucketTraits, uploads: boolean): LifecycleRule[] {
  const aborts = uploads && traits.abortsUploads
  if (!traits.versioned && !aborts) return []
  return [
    {
      ...{ ID: id, Status: 'Enabled', Filter: { Prefix: prefix } },
      ...(traits.versioned && {
        Expiration: { ExpiredObjectDeleteMarker: true },
        NoncurrentVersionExpiration: { NoncurrentDays: NONCURRENT_DAYS }
      }),
      ...(aborts && { AbortIncompleteMultipartUpload: { DaysAfterInitiation: ABORT_DAYS } })
    }
  ]
}

/** Throws `ttl-not-whole-days`: the config has refused it before. */
function daysOf(ttlMs: number): number {
  const days = ttlMs / DAY_MS
  if (Number.isInteger(days) && days >= 1) return days
  throw new Fault('ttl-not-whole-days', `${ttlMs} ms are no whole days`)
}

export type RuleFate = 'added' | 'changed' | 'removed' | 'converted' | 'kept'

export interface RuleChange {
  readonly fate: RuleFate
  /** As it will be; as it was when it is removed. */
  readonly rule: LifecycleRule
}

export interface MergedRules {
  /** The bucket's whole lifecycle as it should be; none: no lifecycle. */
  readonly rules: readonly LifecycleRule[]
  readonly changes: readonly RuleChange[]
  /** Whether there is anything to write. */
  readonly differs: boolean
}

/**
 * Puts the wanted rules in the place of our own ones and keeps everybody else's as they are, in their order. A rule whose
 * prefix stands by itself, the form before `Filter`, is written in the present one: S3 takes no mix of both.
 */
export function mergeRules(
  present: readonly LifecycleRule[],
  wanted: readonly LifecycleRule[],
  scopes: readonly LifecycleScope[]
): MergedRules {
  const isOurs = ({ ID }: LifecycleRule) => ID !== undefined && scopes.some((scope) => owns(scope, ID))
  const foreign = present.filter((rule) => !isOurs(rule))
  const ours = present.filter(isOurs)
  const changes: RuleChange[] = foreign.map((rule) => {
    const converted = withFilter(rule)
    return { fate: converted === rule ? 'kept' : 'converted', rule: converted }
  })
  for (const rule of wanted) {
    const before = ours.find(({ ID }) => ID === rule.ID)
    changes.push({ fate: before === undefined ? 'added' : sameRule(before, rule) ? 'kept' : 'changed', rule })
  }
  const rules = changes.map(({ rule }) => rule)
  const gone = ours.filter(({ ID }) => !wanted.some((rule) => rule.ID === ID))
  changes.push(...gone.map((rule) => ({ fate: 'removed' as const, rule })))
  return { rules, changes, differs: changes.some(({ fate }) => fate !== 'kept') }
}

/** Sinks that are not in the config any more are not ours to judge: another worker may run them. */
function owns(scope: LifecycleScope, id: string): boolean {
  const names = ['staging', ...scope.sinks.map(({ sink }) => sink)]
  const [owner, name = '', ...rest] = id.split('/')
  return owner === 'causeway' && names.includes(name) && rest.includes(hashOf(scope))
}

function withFilter(rule: LifecycleRule): LifecycleRule {
  if (rule.Filter !== undefined) return rule
  const { Prefix = '', ...rest } = rule
  return { ...rest, Filter: { Prefix } }
}

/** Whether two rules say the same, however they are written. */
export function sameRule(one: LifecycleRule, other: LifecycleRule): boolean {
  return canonical(withFilter(one)) === canonical(withFilter(other))
}

function canonical(value: unknown): string {
  if (value instanceof Date || typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return `{${fields
    .map(([name, field]) => `${name}:${canonical(field)}`)
    .sort()
    .join()}}`
}

/** What somebody else's rule would do to us. */
export interface RuleDanger {
  readonly ruleId: string
  readonly prefix: string
  /** `log`: the commit log would be lost, and with it where each partition goes on; `data`: files before their time. */
  readonly of: 'log' | 'data'
}

/** Rules of others that expire, or archive, what they should not. The log carries no tags, so a rule by tags spares it. */
export function dangersOf(
  rules: readonly LifecycleRule[],
  scopes: readonly LifecycleScope[]
): readonly RuleDanger[] {
  const isOurs = ({ ID }: LifecycleRule) => ID !== undefined && scopes.some((scope) => owns(scope, ID))
  const foreign = rules.filter((rule) => !isOurs(rule) && rule.Status === 'Enabled')
  return foreign.flatMap((rule) => {
    const ruleId = rule.ID ?? '(no id)'
    return scopes.flatMap((scope) =>
      scope.sinks.flatMap(({ sink, ttlMs = Number.POSITIVE_INFINITY }): RuleDanger[] => {
        const log = rootOf(scope) + sinkLogPrefix(sink)
        const data = rootOf(scope) + sinkDataPrefix(sink)
        const expires = expiresAfterMs(rule)
        if (expires !== undefined || archives(rule)) {
          if (touches(rule, log) && tagsOf(rule) === 0) return [{ ruleId, prefix: log, of: 'log' }]
        }
        if (expires !== undefined && expires < ttlMs && touches(rule, data)) {
          return [{ ruleId, prefix: data, of: 'data' }]
        }
        return []
      })
    )
  })
}

/** From a date on everything expires, however young. */
function expiresAfterMs({ Expiration }: LifecycleRule): number | undefined {
  if (Expiration?.Date !== undefined) return 0
  return Expiration?.Days === undefined ? undefined : Expiration.Days * DAY_MS
}

function archives({ Transitions = [] }: LifecycleRule): boolean {
  return Transitions.some(({ StorageClass }) => ARCHIVES.has(StorageClass))
}

function touches(rule: LifecycleRule, prefix: string): boolean {
  const { Filter } = withFilter(rule)
  const theirs = Filter?.Prefix ?? Filter?.And?.Prefix ?? ''
  return prefix.startsWith(theirs) || theirs.startsWith(prefix)
}

function tagsOf({ Filter }: LifecycleRule): number {
  return (Filter?.Tag === undefined ? 0 : 1) + (Filter?.And?.Tags?.length ?? 0)
}

/** A rule in a few words. */
export function describeRule(rule: LifecycleRule): string {
  const { Expiration, NoncurrentVersionExpiration: noncurrent, AbortIncompleteMultipartUpload: abort } = rule
  const says = [
    Expiration?.Days !== undefined && `expires after ${Expiration.Days} days`,
    Expiration?.Date !== undefined && `expires from ${Expiration.Date.toISOString().slice(0, 10)} on`,
    noncurrent !== undefined && `older versions after ${noncurrent.NoncurrentDays ?? 0} days`,
    Expiration?.ExpiredObjectDeleteMarker === true && 'delete markers',
    abort !== undefined && `unfinished uploads after ${abort.DaysAfterInitiation} days`,
    (rule.Transitions ?? rule.NoncurrentVersionTransitions) !== undefined && 'transitions',
    rule.Status !== 'Enabled' && 'disabled'
  ]
  const { Filter } = withFilter(rule)
  const prefix = Filter?.Prefix ?? Filter?.And?.Prefix ?? ''
  const tags = tagsOf(rule) > 0 ? ' by tags' : ''
  return `${prefix === '' ? '(all)' : prefix}${tags}: ${says.filter((one) => one !== false).join(', ')}`
}

function rootOf({ prefix }: LifecycleScope): string {
  return prefix === '' ? '' : `${prefix}/`
}

/** Two stores in one bucket may have sinks of one name. */
function hashOf({ prefix }: LifecycleScope): string {
  return createHash('sha256').update(prefix).digest('hex').slice(0, 8)
}
