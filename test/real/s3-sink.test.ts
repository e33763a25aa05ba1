import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import { S3Store } from '../../src/actors/s3/store.ts'
import { sinkConformance } from '../conformance/sink.ts'
import { disturbSink } from '../support/disturbed-sink.ts'
import { chooseSeed, seededRandom } from '../support/random.ts'
import { SinkWorld, type Step } from '../support/sink-world.ts'
import { httpFraming } from '../tools/framing.ts'
import { TcpProxy } from '../tools/proxy.ts'
import { hasMinio, startMinio } from './minio.ts'
import { hasMoto, startMoto } from './moto.ts'
import type { RealS3 } from './s3.ts'
import { hasVersitygw, startVersitygw } from './versitygw.ts'

const TIMEOUT_MS = 3_000
const seed = chooseSeed()

/** The requests in which each step takes its effect. */
const requests: Readonly<Record<Step, RegExp>> = {
  probe: /^PUT [^?]*probe/,
  prepare: /^PUT [^?]*(parquet\?.*partNumber|\/staging\/)/,
  commit: /^PUT [^?]*\/\d{20}\.json/,
  publish: /^POST [^?]*parquet\?.*uploadId|^PUT [^?]*parquet\?.*CopyObject/,
  head: /^PUT [^?]*head/,
  open: /^GET [^?]*head/
}

if (hasMinio) sinksOn('MinIO', startMinio)
if (hasVersitygw) sinksOn('versitygw', startVersitygw)
if (hasMoto) sinksOn('moto', startMoto, { isLasting: false })

/** @param isLasting whether the service has its files still when it was killed */
function sinksOn(
  name: string,
  startService: () => Promise<RealS3>,
  { isLasting } = { isLasting: true }
): void {
  describe(name, () => {
    let s3: RealS3
    let proxy: TcpProxy
    let lakes = 0
    beforeAll(async () => {
      s3 = await startService()
      await s3.createBucket('lake')
      proxy = await TcpProxy.start({ port: Number(new URL(s3.endpoint).port), framing: httpFraming })
    })
    afterAll(async () => {
      await proxy?.stop()
      await s3?.stop()
    })

    /** A sink's world with a prefix of its own; the store is behind the proxy. */
    const start = async (): Promise<SinkWorld> => {
      const { accessKeyId, secretAccessKey, region } = s3
      const credentials = { accessKeyId, secretAccessKey }
      const shared = { bucket: 'lake', prefix: `road-${++lakes}`, region }
      const store = new S3Store({
        ...{ ...shared, credentials, pathStyle: true },
        ...{ endpoint: `http://${proxy.address}`, requestTimeoutMs: TIMEOUT_MS }
      })
      const place = { type: 's3', ...shared, ...credentials, endpoint: s3.endpoint } as const
      const stop = async () => {
        proxy.clear()
        store.close()
      }
      return await SinkWorld.over('s3', {
        ...{ store, place, stop },
        inject: (step, { type }, { after = 0, times = 1 }) => {
          if (type !== 'lose-reply' && type !== 'fail-before') throw new Error(`no way to ${type}`)
          proxy.set({ fault: type, match: requests[step], skip: after, times })
        }
      })
    }

    sinkConformance(name, start)

    if (!isLasting) return
    describe('a store that dies', () => {
      let world: SinkWorld
      afterEach(() => world?.stop())

      test('each offset is published once, whenever the store is killed', async () => {
        world = await start()
        await disturbSink(world, seed, 6, async () => {
          await s3.kill()
          await s3.restart()
        })
      })

      test('each offset is published once, while the store stands still until we give it up', async () => {
        world = await start()
        await disturbSink(world, seed, 2, async (sink, producing) => {
          s3.freeze()
          await producing
          await world.produce(500, seededRandom(seed))
          await sink.until(({ partitions }) => partitions.some(({ state }) => state === 'reopening'))
          s3.thaw()
        })
      })
    })
  })
}
