import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startObjectStore } from '../../src/embedded/object-store/object-store.ts'
import { hasMinio, minioKms, startMinio } from '../real/minio.ts'
import { hasMoto, startMoto } from '../real/moto.ts'
import type { RealS3, S3Access } from '../real/s3.ts'
import { hasVersitygw, startVersitygw } from '../real/versitygw.ts'
import { hasPython } from '../tools/python.ts'
import { tier } from '../tools/tier.ts'
import { holds } from './lacking.ts'
import { awscli } from './object-store/awscli.ts'
import { Bench, BUCKETS, type Property } from './object-store/bench.ts'
import { conditions } from './object-store/conditions.ts'
import { keeping } from './object-store/keeping.ts'
import { lackingOfObjectStores } from './object-store/lacking.ts'
import { lifecycle } from './object-store/lifecycle.ts'
import { listing } from './object-store/listing.ts'
import { multipart } from './object-store/multipart.ts'
import { objects } from './object-store/objects.ts'
import { signatures } from './object-store/signatures.ts'
import { streaming } from './object-store/streaming.ts'
import { tagging } from './object-store/tagging.ts'

/**
 * One suite, four object stores, three clients: Amazon's SDK, its command line, and requests byte by byte.
 *
 * - objects: content, headers, metadata and names of objects; ranges; deletion; copies; buckets; checksums.
 * - conditions: If-None-Match and If-Match of PUT, Complete, GET and HEAD, among rivals, too.
 * - listing: order, pages, start-after, prefix, delimiter.
 * - multipart uploads: invisible until complete; checksums; what Complete refuses; uploads that ended.
 * - tags: on PUT, upload and copy; replaced and deleted; their limits.
 * - keeping: storage classes and encryption, of copies, too.
 * - lifecycle: objects that expire by prefix and by tag.
 * - chunked bodies: `aws-chunked`, unsigned and signed, with and without trailers.
 * - signatures: what SigV4 must refuse.
 * - awscli: transfers, pages, conditions, tags and errors as its users see them.
 */
const groups: Readonly<Record<string, (property: Property) => void>> = {
  objects,
  conditions,
  listing,
  'multipart uploads': multipart,
  tags: tagging,
  keeping,
  lifecycle,
  'chunked bodies': streaming,
  signatures,
  ...(hasPython && { awscli })
}

const properties = new Set<string>()

interface Started extends S3Access {
  stop(): Promise<void>
}

conformance('embedded', startEmbedded)
if (tier === 'real' && hasMinio) conformance('MinIO', () => started(startMinio({ env: minioKms })))
if (tier === 'real' && hasVersitygw) conformance('versitygw', () => started(startVersitygw()))
if (tier === 'real' && hasMoto) conformance('moto', () => started(startMoto()))

test('what a store lacks is a property of this suite', () => {
  const lacked = Object.keys(lackingOfObjectStores).map((what) => what.replace(/^Object store on \w+: /, ''))
  expect(lacked.filter((property) => !properties.has(property))).toEqual([])
})

function conformance(name: string, start: () => Promise<Started>): void {
  const subject = `Object store on ${name}`
  describe(subject, () => {
    let store: Started | undefined
    let bench: Bench | undefined
    beforeAll(async () => {
      store = await start()
      bench = new Bench(store)
    }, 120_000)
    afterAll(async () => {
      bench?.close()
      await store?.stop()
    })
    for (const [group, define] of Object.entries(groups)) {
      const held: (() => void)[] = []
      define((title, run, timeoutMs) => {
        properties.add(`${group}: ${title}`)
        if (!holds(subject, `${group}: ${title}`)) return
        const running = async () => {
          if (bench === undefined) throw new Error('the store has not started')
          await run(bench)
        }
        held.push(() => test(title, running, timeoutMs))
      })
      if (held.length === 0) continue
      describe(group, () => {
        for (const register of held) register()
      })
    }
  })
}

async function startEmbedded(): Promise<Started> {
  const dataDir = mkdtempSync(join(tmpdir(), 'causeway-s3-'))
  const access = {
    accessKeyId: 'AKIDEMBEDDED',
    secretAccessKey: 'secret/of+the-embedded',
    region: 'us-east-1'
  }
  const { endpoint, stop } = await startObjectStore({ dataDir, ...access, buckets: BUCKETS })
  return {
    ...access,
    endpoint,
    stop: async () => {
      await stop()
      rmSync(dataDir, { recursive: true, force: true })
    }
  }
}

async function started(starting: Promise<RealS3>): Promise<RealS3> {
  const store = await starting
  for (const bucket of BUCKETS) await store.createBucket(bucket)
  return store
}
