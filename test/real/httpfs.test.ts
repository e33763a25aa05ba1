import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HdfsStore } from '../../src/actors/hdfs/store.ts'
import type { DataFile } from '../../src/actors/store/store.ts'
import { seededRandom } from '../support/random.ts'
import { SinkWorld } from '../support/sink-world.ts'
import { type RealHdfs, startHdfs } from './hdfs.ts'
import { hasHttpFs, type RealHttpFs, startHttpFs } from './httpfs.ts'

const USER = 'causeway'
const { signal } = new AbortController()

/** HttpFS ignores rename options, reads files by itself and has uploads sent to itself. */
describe.skipIf(!hasHttpFs)('HttpFS 3.4.2 before HDFS 3.4.3', () => {
  let hdfs: RealHdfs
  let httpFs: RealHttpFs
  beforeAll(async () => {
    hdfs = await startHdfs({ superuser: USER })
    httpFs = await startHttpFs(hdfs)
  })
  afterAll(async () => {
    await httpFs?.stop()
    await hdfs?.stop()
  })
  const open = (path: string) => new HdfsStore({ namenodes: [httpFs.url], path, user: USER })

  test('a store proves itself, refuses what is there, and publishes files that nobody may write to', async () => {
    const store = open('/one')
    await store.probe(signal)
    expect(await store.create('h/a.json', Buffer.from('one'), signal)).toEqual({ outcome: 'created' })
    expect(await store.create('h/a.json', Buffer.from('two'), signal)).toEqual({ outcome: 'exists' })
    await store.replace('h/a.json', Buffer.from('three'), signal)
    expect((await store.read('h/a.json', signal))?.toString()).toBe('three')
    expect(await store.read('h/none.json', signal)).toBeUndefined()
    const file: DataFile = {
      ...{ path: 'd/f.parquet', parts: [Buffer.from('abc')], bytes: 3 },
      ...{ entryId: 'c/0-n' }
    }
    const prepared = { ...file, preparation: await store.prepare(file, signal) }
    await store.publish(prepared, signal)
    await store.publish(prepared, signal)
    const query = `op=GETFILESTATUS&user.name=${USER}`
    const reply = await fetch(`${hdfs.nameNode.url}/webhdfs/v1/one/d/f.parquet?${query}`)
    expect(await reply.json()).toMatchObject({ FileStatus: { permission: '444', length: 3 } })
    store.close()
  })

  test('a sink publishes each offset once, whenever HttpFS is killed', async () => {
    const store = open('/lake')
    const stop = async () => store.close()
    const world = await SinkWorld.over('hdfs', { store, stop })
    try {
      const sink = world.run()
      for (let kill = 0; kill < 2; kill++) {
        await world.produce(1_000, seededRandom(kill))
        await httpFs.process.kill()
        await httpFs.process.start()
      }
      await world.untilCaughtUp(sink)
      await sink.drain()
      await world.verify()
    } finally {
      await world.stop()
    }
  })
})
