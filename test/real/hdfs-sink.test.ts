import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import { HdfsStore } from '../../src/actors/hdfs/store.ts'
import { sinkConformance } from '../conformance/sink.ts'
import { type Disturbance, disturbSink } from '../support/disturbed-sink.ts'
import { chooseSeed, seededRandom } from '../support/random.ts'
import { SinkWorld, type Step } from '../support/sink-world.ts'
import { httpFraming } from '../tools/framing.ts'
import { TcpProxy } from '../tools/proxy.ts'
import { hasHdfs, type RealHdfs, startHdfs } from './hdfs.ts'

const USER = 'causeway'
const TIMEOUT_MS = 3_000
const seed = chooseSeed()

/** The requests to the NameNode in which each step takes its effect, or begins. */
const requests: Readonly<Record<Step, RegExp>> = {
  probe: /^PUT [^?]*probe[^?]*\?op=RENAME/,
  prepare: /^PUT [^?]*parquet\?op=CREATE/,
  commit: /^PUT [^?]*\/\.\d{20}\.json[^?]*\?op=RENAME/,
  publish: /^PUT [^?]*\.parquet\?op=RENAME/,
  head: /^PUT [^?]*head[^?]*\?op=RENAME/,
  open: /^GET [^?]*head[^?]*\?op=OPEN/
}

describe.skipIf(!hasHdfs)('HDFS 3.4.3', () => {
  let hdfs: RealHdfs
  let proxy: TcpProxy
  let lakes = 0
  beforeAll(async () => {
    hdfs = await startHdfs({ superuser: USER })
    const port = Number(new URL(hdfs.nameNode.url).port)
    proxy = await TcpProxy.start({ port, framing: httpFraming })
  })
  afterAll(async () => {
    await proxy?.stop()
    await hdfs?.stop()
  })

  /** A sink's world with a directory of its own; its NameNode is behind the proxy. */
  const start = async (): Promise<SinkWorld> => {
    const namenodes = [`http://${proxy.address}`]
    const shared = { path: `/lake-${++lakes}`, user: USER }
    const store = new HdfsStore({ namenodes, ...shared, timeoutMs: TIMEOUT_MS })
    const place = { type: 'hdfs', url: hdfs.nameNode.url, ...shared } as const
    const stop = async () => {
      proxy.clear()
      store.close()
    }
    return await SinkWorld.over('hdfs', {
      ...{ store, place, stop },
      inject: (step, { type }, { after = 0, times = 1 }) => {
        if (type !== 'lose-reply' && type !== 'fail-before') throw new Error(`no way to ${type}`)
        proxy.set({ fault: type, match: requests[step], skip: after, times })
      }
    })
  }

  sinkConformance('HDFS 3.4.3', start)

  describe('servers that die', () => {
    let world: SinkWorld
    afterEach(() => world?.stop())

    const disturb = async (times: number, disturbance: Disturbance) => {
      world = await start()
      await disturbSink(world, seed, times, disturbance)
    }

    test('each offset is published once, whenever the DataNode is killed', async () => {
      await disturb(4, async () => {
        await hdfs.dataNodes[0]?.process.kill()
        await hdfs.dataNodes[0]?.process.start()
      })
    })

    test('each offset is published once, while the DataNode stands still until we give it up', async () => {
      await disturb(2, async (sink, producing) => {
        hdfs.dataNodes[0]?.process.freeze()
        await producing
        await world.produce(500, seededRandom(seed))
        await sink.until(({ partitions }) => partitions.some(({ state }) => state === 'reopening'))
        hdfs.dataNodes[0]?.process.thaw()
      })
    })

    test('each offset is published once, whenever the NameNode is killed', async () => {
      await disturb(2, async () => {
        await hdfs.nameNode.process.kill()
        await hdfs.nameNode.process.start()
      })
    })
  })
})
