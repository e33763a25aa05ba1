import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HdfsStore } from '../../src/actors/hdfs/store.ts'
import { seededRandom } from '../support/random.ts'
import { SinkWorld } from '../support/sink-world.ts'
import { hasHdfs, type RealHdfs, startHdfs } from './hdfs.ts'

const USER = 'causeway'

/** A sink that knows both NameNodes of a pair, while they change places, are in safe mode, and die. */
describe.skipIf(!hasHdfs)('a pair of NameNodes of HDFS 3.4.3', () => {
  let hdfs: RealHdfs
  let world: SinkWorld
  beforeAll(async () => {
    hdfs = await startHdfs({ superuser: USER, standby: true })
    const namenodes = [hdfs.nameNode, hdfs.standby].flatMap((one) => one?.url ?? [])
    const store = new HdfsStore({ namenodes, path: '/lake', user: USER, timeoutMs: 5_000 })
    const stop = async () => store.close()
    world = await SinkWorld.over('hdfs', { store, stop })
  })
  afterAll(async () => {
    await world?.stop()
    await hdfs?.stop()
  })

  test('each offset is published once through take-overs, safe mode, and the death of the active one', async () => {
    const sink = world.run()
    let seed = 1
    const carry = async () => {
      await world.produce(300, seededRandom(seed++))
      await world.untilCaughtUp(sink)
    }
    await carry()
    await hdfs.setActive('second')
    await carry()
    await hdfs.setActive('first')
    await hdfs.setSafeMode(true)
    await world.produce(300, seededRandom(seed++))
    await sink.until(({ partitions }) =>
      partitions.some(({ reason }) => reason?.includes('store-not-ready') === true)
    )
    await hdfs.setSafeMode(false)
    await carry()
    await hdfs.nameNode.process.kill()
    await world.produce(300, seededRandom(seed++))
    await hdfs.tools.runOk('haadmin', ['-transitionToActive', '--forceactive', 'nn2'], USER)
    await carry()
    expect(sink.failure()).toBeUndefined()
    await sink.drain()
    await world.verify()
  })
})
