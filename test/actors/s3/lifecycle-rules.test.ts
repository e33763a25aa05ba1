import type { LifecycleRule } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { unknownElements } from '../../../src/actors/s3/lifecycle.ts'
import {
  type BucketTraits,
  DAY_MS,
  dangersOf,
  describeRule,
  type LifecycleScope,
  mergeRules,
  wantedRules
} from '../../../src/actors/s3/lifecycle-rules.ts'

const aws: BucketTraits = { versioned: false, abortsUploads: true, stages: false }
const minio: BucketTraits = { versioned: false, abortsUploads: false, stages: true }
const scope = (ttlDays?: number, prefix = 'lake', sink = 'hybrid.crucial'): LifecycleScope => ({
  prefix,
  sinks: [{ sink, ttlMs: ttlDays === undefined ? undefined : ttlDays * DAY_MS }]
})
const byPrefix = (rules: readonly LifecycleRule[]) =>
  rules.map(({ Filter, Status: _, ID: __, ...actions }) => [Filter?.Prefix, actions])
const foreign = (ID: string, more: Partial<LifecycleRule>): LifecycleRule => ({
  ...{ ID, Status: 'Enabled', Filter: { Prefix: 'theirs/' }, Expiration: { Days: 5 } },
  ...more
})

describe('wanted', () => {
  const AbortIncompleteMultipartUpload = { DaysAfterInitiation: 7 }
  const NoncurrentVersionExpiration = { NoncurrentDays: 1 }
  const markers = { Expiration: { ExpiredObjectDeleteMarker: true } }

  test('files and dead letters expire, the log never', () => {
    expect(byPrefix(wantedRules([scope(30)], aws))).toEqual([
      ['lake/data/hybrid.crucial/', { Expiration: { Days: 30 }, AbortIncompleteMultipartUpload }],
      ['lake/dead/hybrid.crucial/', { Expiration: { Days: 30 }, AbortIncompleteMultipartUpload }]
    ])
    expect(byPrefix(wantedRules([scope(30, '')], minio))).toEqual([
      ['data/hybrid.crucial/', { Expiration: { Days: 30 } }],
      ['dead/hybrid.crucial/', { Expiration: { Days: 30 } }]
    ])
  })

  test('without a ttl nothing expires but uploads that nobody completes', () => {
    const aborting = { AbortIncompleteMultipartUpload }
    expect(byPrefix(wantedRules([scope()], aws))).toEqual([
      ['lake/data/hybrid.crucial/', aborting],
      ['lake/dead/hybrid.crucial/', aborting]
    ])
    expect(wantedRules([scope()], minio)).toEqual([])
  })

  test('of a versioned bucket older versions and delete markers go as well, those of the log and of staging, too', () => {
    const rules = wantedRules([scope(30)], { ...minio, versioned: true })
    expect(byPrefix(rules)).toEqual([
      ['lake/data/hybrid.crucial/', { Expiration: { Days: 30 }, NoncurrentVersionExpiration }],
      ['lake/data/hybrid.crucial/', { ...markers, NoncurrentVersionExpiration }],
      ['lake/dead/hybrid.crucial/', { Expiration: { Days: 30 }, NoncurrentVersionExpiration }],
      ['lake/dead/hybrid.crucial/', { ...markers, NoncurrentVersionExpiration }],
      ['lake/log/v1/hybrid.crucial/', { ...markers, NoncurrentVersionExpiration }],
      ['lake/staging/', { ...markers, NoncurrentVersionExpiration }]
    ])
    expect(new Set(rules.map(({ ID }) => ID)).size).toBe(rules.length)
  })

  test('stores of one bucket have rules of their own, and long names fit into ids', () => {
    const long = 'x'.repeat(64)
    const rules = wantedRules([scope(1, 'a', `${long}.${long}`), scope(1, 'b', `${long}.${long}`)], aws)
    expect(new Set(rules.map(({ ID }) => ID)).size).toBe(4)
    for (const { ID = '' } of rules) expect(ID.length).toBeLessThanOrEqual(255)
  })

  test('parts of days are refused, should the config ever let them pass', () => {
    expect(() => wantedRules([scope(1.5)], aws)).toThrow('no whole days')
  })
})

describe('merged', () => {
  const scopes = [scope(30)]
  const wanted = wantedRules(scopes, aws)
  const merge = (present: readonly LifecycleRule[], rules = wanted) => mergeRules(present, rules, scopes)
  const fates = (present: readonly LifecycleRule[], rules = wanted) =>
    merge(present, rules).changes.map(({ fate, rule }) => [fate, rule.ID?.split('/')[2] ?? rule.ID])

  test('an empty bucket gets all rules, and gets them once', () => {
    expect(fates([])).toEqual([
      ['added', 'data'],
      ['added', 'dead']
    ])
    expect(merge([]).rules).toEqual(wanted)
    expect(merge(wanted)).toMatchObject({ rules: wanted, differs: false })
  })

  test('rules of others stay as they are, in their order, before ours', () => {
    const kept = [
      foreign('b', { Transitions: [{ Days: 3, StorageClass: 'GLACIER' }], Status: 'Disabled' }),
      foreign('a', { Filter: { And: { Prefix: 'x/', Tags: [{ Key: 'k', Value: 'v' }] } } })
    ]
    const { rules, differs } = merge([...kept, ...wanted])
    expect(rules).toEqual([...kept, ...wanted])
    expect(differs).toBe(false)
    expect(merge([wanted[0] ?? foreign('', {}), ...kept]).rules).toEqual([...kept, ...wanted])
  })

  test('a prefix that stands by itself is put into a filter, and nothing else of its rule is changed', () => {
    const { Filter: _, ...bare } = foreign('old', { Prefix: 'old/' })
    const { rules, changes } = merge([bare, ...wanted])
    expect(changes[0]).toMatchObject({ fate: 'converted' })
    expect(rules[0]).toEqual(foreign('old', { Filter: { Prefix: 'old/' } }))
    expect(rules.every((rule) => !('Prefix' in rule))).toBe(true)
    const { Prefix: __, ...everywhere } = bare
    expect(merge([everywhere]).rules[0]).toEqual(foreign('old', { Filter: { Prefix: '' } }))
  })

  test('a ttl that changed changes its rules, one that went takes them along', () => {
    const other = wantedRules([scope(7)], aws)
    expect(fates(other)).toEqual([
      ['changed', 'data'],
      ['changed', 'dead']
    ])
    expect(merge(other).rules).toEqual(wanted)
    expect(fates(wanted, [])).toEqual([
      ['removed', 'data'],
      ['removed', 'dead']
    ])
    expect(merge(wanted, [])).toMatchObject({ rules: [], differs: true })
  })

  test('rules of other sinks of ours are foreign: of another name, another prefix, or of no config', () => {
    const others = [
      ...wantedRules([scope(30, 'lake', 'hybrid.other')], aws),
      ...wantedRules([scope(30, 'ocean')], aws),
      ...wantedRules([{ ...scope(), prefix: 'ocean' }], { ...minio, versioned: true })
    ]
    expect(merge(others).rules).toEqual([...others, ...wanted])
  })

  test('what stores write otherwise is no difference', () => {
    const date = new Date(0)
    const before = foreign('a', { Expiration: { Date: date } })
    expect(merge([before, ...wanted.map((rule) => ({ ...rule, Prefix: undefined }))]).differs).toBe(false)
  })
})

describe('dangers', () => {
  const of = (rule: LifecycleRule, ttlDays?: number) =>
    dangersOf([rule], [scope(ttlDays)]).map(({ of }) => of)

  test('a rule that lets the log expire, or archives it, is told', () => {
    for (const Prefix of ['', 'lake', 'lake/log/', 'lake/log/v1/hybrid.crucial/topic']) {
      expect(of(foreign('x', { Filter: { Prefix } })), Prefix).toEqual(['log'])
    }
    const archiving = { Expiration: undefined, Transitions: [{ Days: 1, StorageClass: 'GLACIER' as const }] }
    expect(of(foreign('x', { Filter: { Prefix: '' }, ...archiving }))).toEqual(['log'])
    expect(of(foreign('x', { Filter: undefined, Prefix: '', Expiration: { Date: new Date() } }))).toEqual([
      'log'
    ])
  })

  test('a rule that spares it is none: of another prefix, by tags, disabled, of older versions, of a warm class', () => {
    const warm = [{ Days: 30, StorageClass: 'STANDARD_IA' as const }]
    for (const more of [
      {},
      { Filter: { Prefix: 'lake/log/v1/hybrid.crucial2/' } },
      { Filter: { Prefix: '' }, Status: 'Disabled' as const },
      { Filter: { Prefix: '' }, Expiration: undefined, NoncurrentVersionExpiration: { NoncurrentDays: 1 } },
      { Filter: { Prefix: '' }, Expiration: undefined, Transitions: warm }
    ]) {
      expect(of(foreign('x', more)), JSON.stringify(more)).toEqual([])
    }
    expect(of(foreign('x', { Filter: { And: { Tags: [{ Key: 'a', Value: 'b' }] } } }), 3)).toEqual([])
    expect(dangersOf(wantedRules([scope(30)], aws), [scope(30)])).toEqual([])
  })

  test('a rule that takes files before their ttl is told', () => {
    const rule = foreign('x', { Filter: { Prefix: 'lake/data/' } })
    expect(of(rule, 6)).toEqual(['data'])
    expect(of(rule)).toEqual(['data'])
    expect(of(rule, 5)).toEqual([])
  })
})

test('a rule is told in a few words', () => {
  const [rule, markers] = wantedRules([scope(30)], { ...aws, versioned: true })
  expect(describeRule(rule ?? foreign('', {}))).toBe(
    'lake/data/hybrid.crucial/: expires after 30 days, older versions after 1 days, unfinished uploads after 7 days'
  )
  expect(describeRule(markers ?? foreign('', {}))).toContain('delete markers')
  expect(
    describeRule({ Status: 'Disabled', Filter: { Prefix: '' }, Expiration: { Date: new Date(0) } })
  ).toBe('(all): expires from 1970-01-01 on, disabled')
})

test('elements that would be lost in writing a lifecycle back are found', () => {
  const known =
    '<?xml version="1.0"?><LifecycleConfiguration xmlns="x"><Rule><Filter/></Rule></LifecycleConfiguration>'
  expect(unknownElements(known)).toEqual([])
  expect(
    unknownElements(known.replace('<Filter/>', '<DelMarkerExpiration><Days>1</Days></DelMarkerExpiration>'))
  ).toEqual(['DelMarkerExpiration'])
})
