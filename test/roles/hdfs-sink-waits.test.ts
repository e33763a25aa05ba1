import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { HdfsStore } from '../../src/actors/hdfs/store.ts'
import { startWebHdfs } from '../../src/embedded/webhdfs/webhdfs.ts'
import { seededRandom } from '../support/random.ts'
import { SinkWorld } from '../support/sink-world.ts'
import { cleanups } from '../tools/cleanup.ts'

const defer = cleanups()

/** A sink's world on a pair of NameNodes, the second in standby. */
async function start() {
  const dataDir = await mkdtemp(join(tmpdir(), 'causeway-waits-'))
  const hdfs = await startWebHdfs({ dataDir, superuser: 'causeway', standby: true })
  const namenodes = [hdfs.url, hdfs.standby?.url ?? '']
  const store = new HdfsStore({ namenodes, path: '/lake', user: 'causeway' })
  const stop = async () => {
    store.close()
    await hdfs.stop()
    await rm(dataDir, { recursive: true })
  }
  const world = await SinkWorld.over('hdfs', { store, faults: hdfs.faults, stop })
  defer(() => world.stop())
  return { hdfs, world }
}

test('a NameNode in safe mode is waited for at the start and later, people are told, and nothing is lost', async () => {
  const { hdfs, world } = await start()
  hdfs.setState('safe-mode')
  const sink = world.run()
  await sink.until(({ notes }) => notes.join().includes('store-not-ready'))
  expect(sink.view()).toMatchObject({ state: expect.stringMatching(/^(unproven|probing)$/), ready: false })
  hdfs.setState('active')
  await world.produce(500, seededRandom(1))
  await world.untilCaughtUp(sink)
  hdfs.setState('safe-mode')
  await world.produce(500, seededRandom(2))
  await sink.until(({ partitions }) =>
    partitions.some(
      ({ state, reason }) => state === 'reopening' && reason?.includes('store-not-ready') === true
    )
  )
  hdfs.setState('active')
  await world.untilCaughtUp(sink)
  await sink.drain()
  await world.verify()
})

test('the standby that takes over is found, and each offset is published once', async () => {
  const { hdfs, world } = await start()
  const sink = world.run()
  for (let takeOver = 0; takeOver < 4; takeOver++) {
    await world.produce(500, seededRandom(takeOver))
    const [active, standby] = takeOver % 2 === 0 ? [hdfs.standby, hdfs] : [hdfs, hdfs.standby]
    standby?.setState('standby')
    active?.setState('active')
  }
  await world.untilCaughtUp(sink)
  await sink.drain()
  await world.verify()
})
