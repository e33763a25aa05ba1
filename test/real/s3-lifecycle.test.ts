import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LifecycleRule, PutBucketVersioningCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterEach, describe, expect, test } from 'vitest'
import { createClient } from '../../src/actors/s3/client.ts'
import { rulesOf, runLifecycle, setRules } from '../support/s3-lifecycle.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasMinio, startMinio } from './minio.ts'
import { hasMoto, startMoto } from './moto.ts'
import type { RealS3 } from './s3.ts'
import { hasVersitygw, startVersitygw } from './versitygw.ts'

const defer = cleanups()
let s3: RealS3
let client: S3Client
let directory: string

async function start(starting: Promise<RealS3>): Promise<void> {
  s3 = await starting
  defer(() => s3.stop())
  await s3.createBucket('lake')
  directory = mkdtempSync(join(tmpdir(), 'causeway-lifecycle-'))
  defer(() => rmSync(directory, { recursive: true, force: true }))
  const { endpoint, region, accessKeyId, secretAccessKey } = s3
  client = createClient(
    { endpoint, region, pathStyle: true, credentials: { accessKeyId, secretAccessKey } },
    3
  )
}
afterEach(() => client.destroy())

const lifecycle = (ttl: string, ...args: readonly string[]) =>
  runLifecycle({ directory, endpoint: s3.endpoint, keys: s3 }, ttl, ...args)
const rules = () => rulesOf(client)
const setVersioning = (Status: 'Enabled' | 'Suspended') =>
  client.send(new PutBucketVersioningCommand({ Bucket: 'lake', VersioningConfiguration: { Status } }))

const theirs: readonly LifecycleRule[] = [
  {
    ...{ ID: 'tagged', Status: 'Enabled', NoncurrentVersionExpiration: { NoncurrentDays: 3 } },
    Filter: { And: { Prefix: 'theirs/', Tags: [{ Key: 'class', Value: 'a & b' }] } },
    Expiration: { Days: 9 }
  },
  {
    ID: 'dated',
    Status: 'Disabled',
    Filter: { Prefix: 'x/' },
    Expiration: { Date: new Date(Date.UTC(2031, 0)) }
  }
]
const old: LifecycleRule = { ID: 'old', Status: 'Enabled', Prefix: 'old/', Expiration: { Days: 2 } }
const oldWithFilter: LifecycleRule = {
  ID: 'old',
  Status: 'Enabled',
  Filter: { Prefix: 'old/' },
  Expiration: { Days: 2 }
}

describe.runIf(hasMoto)('moto', () => {
  test('takes the whole lifecycle, beside the rules of others; old forms are converted', async () => {
    await start(startMoto())
    await setRules(client, [...theirs, old])
    expect((await lifecycle('30d')).out).toMatch(/~ converted +old {2}old\/: expires after 2 days/)
    expect(await lifecycle('30d', '--apply')).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('6 rules written and read back')
    })
    const found = await rules()
    expect(found.slice(0, 3)).toEqual([...theirs, oldWithFilter])
    expect(found.slice(3)).toMatchObject([
      {
        Filter: { Prefix: 'road/data/hybrid.crucial/' },
        Expiration: { Days: 30 },
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 }
      },
      { Filter: { Prefix: 'road/dead/hybrid.crucial/' }, Expiration: { Days: 30 } },
      { Filter: { Prefix: 'road/staging/' }, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } }
    ])
    expect((await lifecycle('30d', '--apply')).out).toContain('nothing is written')
  })

  test('that is versioned, or was, takes rules for older versions and delete markers', async () => {
    await start(startMoto())
    for (const status of ['Enabled', 'Suspended'] as const) {
      await setVersioning(status)
      expect(await lifecycle('30d', '--apply')).toMatchObject({ exitCode: 0 })
      expect((await lifecycle('30d')).out).toContain('s3://lake (versioned)')
    }
    const found = await rules()
    expect(found).toHaveLength(6)
    expect(found.every(({ NoncurrentVersionExpiration: older }) => older?.NoncurrentDays === 1)).toBe(true)
    const cleaned = found.filter(({ Expiration }) => Expiration?.ExpiredObjectDeleteMarker)
    expect(cleaned.map(({ Filter }) => Filter?.Prefix)).toEqual([
      'road/data/hybrid.crucial/',
      'road/dead/hybrid.crucial/',
      'road/log/v1/hybrid.crucial/',
      'road/staging/'
    ])
  })
})

describe.runIf(hasMinio)('MinIO', () => {
  test('takes the lifecycle without what it refuses, and that is said', async () => {
    await start(startMinio())
    await setRules(client, [...theirs, old])
    const planned = await lifecycle('30d')
    expect(planned.out).toContain('! left out: rules for unfinished uploads')
    expect(await lifecycle('30d', '--apply')).toMatchObject({
      exitCode: 0,
      out: expect.stringContaining('5 rules written and read back')
    })
    expect(await rules()).toMatchObject([
      ...theirs,
      oldWithFilter,
      { Filter: { Prefix: 'road/data/hybrid.crucial/' }, Expiration: { Days: 30 } },
      { Filter: { Prefix: 'road/dead/hybrid.crucial/' }, Expiration: { Days: 30 } }
    ])
    await setVersioning('Enabled')
    expect(await lifecycle('7d', '--apply')).toMatchObject({ exitCode: 0, err: '' })
    expect((await rules()).slice(0, 3)).toEqual([...theirs, oldWithFilter])
    expect(await rules()).toHaveLength(9)
    expect((await lifecycle('7d', '--apply')).out).toContain('nothing is written')
  })

  test('has elements of its own: what would be lost is not written over', async () => {
    await start(startMinio())
    await setVersioning('Enabled')
    client.middlewareStack.add(
      (next) => async (args) => {
        const { request } = args
        if (typeof request === 'object' && request !== null && 'body' in request && request.body) {
          const own = '<DelMarkerExpiration><Days>2</Days></DelMarkerExpiration></Rule>'
          request.body = String(request.body).replace('</Rule>', own)
        }
        return await next(args)
      },
      { step: 'serialize', priority: 'low' }
    )
    await setRules(client, [oldWithFilter])
    expect((await lifecycle('30d')).out).toContain('! rules have DelMarkerExpiration, which would be lost')
    expect(await lifecycle('30d', '--apply')).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('nothing is written')
    })
    expect(await rules()).toHaveLength(1)
  })
})

describe.runIf(hasVersitygw)('versitygw', () => {
  test('has no lifecycles, which is said', async () => {
    await start(startVersitygw())
    const planned = await lifecycle('30d')
    expect(planned).toMatchObject({ exitCode: 0 })
    expect(planned.out).toContain('! the store has no lifecycles (501): all of this is left out')
    expect(await lifecycle('30d', '--apply')).toMatchObject({
      exitCode: 1,
      err: 'causeway: s3://lake: its store has no lifecycles (501), so nothing can expire there by ttl'
    })
  })
})
