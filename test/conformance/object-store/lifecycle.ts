import { setTimeout as delay } from 'node:timers/promises'
import {
  DeleteBucketLifecycleCommand,
  GetBucketLifecycleConfigurationCommand,
  HeadObjectCommand,
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { type Bench, EXPIRING, type Property, refusal } from './bench.ts'

const DAY_MS = 24 * 3_600_000
const DEADLINE_MS = 30_000
/** A midnight that has passed: what such a rule fits, it lets expire at once. */
const PAST = new Date(Math.floor(Date.now() / DAY_MS - 1) * DAY_MS)

export function lifecycle(property: Property): void {
  property(
    'a configuration is given back as it was put, and is NoSuchLifecycleConfiguration without',
    async (bench) => {
      const rules: LifecycleRule[] = [
        { ID: 'by-prefix', Status: 'Enabled', Filter: { Prefix: 'raw/' }, Expiration: { Days: 30 } },
        {
          ID: 'by-tags',
          Status: 'Disabled',
          Filter: { And: { Prefix: 'log/', Tags: [{ Key: 'class', Value: 'raw' }] } },
          Expiration: { Date: PAST }
        }
      ]
      await setRules(bench, rules)
      expect(sorted(await rulesOf(bench))).toMatchObject(sorted(rules))
      await setRules(bench, rules.slice(0, 1))
      expect(await rulesOf(bench)).toMatchObject(rules.slice(0, 1))
      await bench.s3.send(new DeleteBucketLifecycleCommand({ Bucket: EXPIRING }))
      expect(await refusal(rulesOf(bench))).toEqual({ name: 'NoSuchLifecycleConfiguration', status: 404 })
    }
  )

  property(
    'what a rule fits by its prefix expires, and nothing else',
    async (bench) => {
      const prefix = bench.fresh()
      for (const name of ['raw/1', 'raw/2', 'rather', 'other/raw/3']) await put(bench, `${prefix}${name}`)
      await setRules(bench, [expiring({ Prefix: `${prefix}raw/` })])
      await untilKeys(bench, prefix, ['other/raw/3', 'rather'])
      await put(bench, `${prefix}raw/later`)
      await untilKeys(bench, prefix, ['other/raw/3', 'rather'])
    },
    90_000
  )

  property(
    'what a rule fits by its tag expires, and nothing else',
    async (bench) => {
      const prefix = bench.fresh()
      await put(bench, `${prefix}1`, 'class=raw&more=x')
      await put(bench, `${prefix}2`, 'class=raws')
      await put(bench, `${prefix}3`, 'more=raw')
      await put(bench, `${prefix}4`)
      const Tag = { Key: 'class', Value: 'raw' }
      await setRules(bench, [expiring({ And: { Prefix: prefix, Tags: [Tag] } })])
      await untilKeys(bench, prefix, ['2', '3', '4'])
    },
    90_000
  )

  property(
    'a rule that is disabled lets nothing expire',
    async (bench) => {
      const prefix = bench.fresh()
      await put(bench, `${prefix}kept/1`)
      await put(bench, `${prefix}gone/1`)
      const kept = { ...expiring({ Prefix: `${prefix}kept/` }), ID: 'kept', Status: 'Disabled' } as const
      await setRules(bench, [kept, expiring({ Prefix: `${prefix}gone/` })])
      // The other rule shows that rules have been looked at meanwhile.
      await untilKeys(bench, prefix, ['kept/1'])
    },
    90_000
  )

  property('HEAD says when an object will expire, a midnight after so many days', async (bench) => {
    const prefix = bench.fresh()
    await setRules(bench, [
      { ID: 'in-two-days', Status: 'Enabled', Filter: { Prefix: prefix }, Expiration: { Days: 2 } }
    ])
    await put(bench, `${prefix}later`)
    const { Expiration, LastModified } = await bench.s3.send(
      new HeadObjectCommand({ Bucket: EXPIRING, Key: `${prefix}later` })
    )
    const midnight = (Math.floor((LastModified?.getTime() ?? 0) / DAY_MS) + 3) * DAY_MS
    const date = new Date(midnight).toUTCString()
    expect(Expiration).toBe(`expiry-date="${date}", rule-id="in-two-days"`)
  })

  property('a configuration that makes no sense is refused, and the last one stays', async (bench) => {
    const good = expiring({ Prefix: 'good/' })
    await setRules(bench, [good])
    const bad: readonly LifecycleRule[] = [
      { Status: 'Enabled', Filter: { Prefix: 'x' } },
      { Status: 'Enabled', Filter: { Prefix: 'x' }, Expiration: { Days: 0 } },
      { Status: 'Enabled', Filter: { Prefix: 'x' }, Expiration: { Date: new Date(PAST.getTime() + 1_000) } },
      { Status: 'Enabled', Filter: { Prefix: 'x' }, Expiration: { Days: 1, Date: PAST } }
    ]
    for (const rule of bad) {
      const { status } = await refusal(setRules(bench, [rule]))
      expect(status, JSON.stringify(rule)).toBe(400)
    }
    expect(await rulesOf(bench)).toMatchObject([good])
  })
}

function expiring(Filter: LifecycleRule['Filter']): LifecycleRule {
  return { ID: 'past', Status: 'Enabled', Filter, Expiration: { Date: PAST } }
}

async function setRules(bench: Bench, Rules: LifecycleRule[]): Promise<void> {
  const put = { Bucket: EXPIRING, LifecycleConfiguration: { Rules } }
  await bench.s3.send(new PutBucketLifecycleConfigurationCommand(put))
}

async function rulesOf(bench: Bench): Promise<LifecycleRule[]> {
  const command = new GetBucketLifecycleConfigurationCommand({ Bucket: EXPIRING })
  return (await bench.s3.send(command)).Rules ?? []
}

function sorted(rules: readonly LifecycleRule[]): LifecycleRule[] {
  return rules.toSorted((a, b) => ((a.ID ?? '') < (b.ID ?? '') ? -1 : 1))
}

async function put(bench: Bench, Key: string, Tagging?: string): Promise<void> {
  await bench.s3.send(new PutObjectCommand({ Bucket: EXPIRING, Key, Body: 'x', Tagging }))
}

/** Stores let objects expire in their own time. */
async function untilKeys(bench: Bench, prefix: string, names: readonly string[]): Promise<void> {
  const expected = names.map((name) => `${prefix}${name}`)
  const deadline = Date.now() + DEADLINE_MS
  for (;;) {
    const keys = await bench.keys(prefix, EXPIRING)
    if (keys.join('\n') === expected.join('\n')) return
    if (Date.now() > deadline) expect(keys).toEqual(expected)
    await delay(100)
  }
}
