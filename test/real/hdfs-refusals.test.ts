import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { HdfsStore } from '../../src/actors/hdfs/store.ts'
import { WebHdfs } from '../../src/actors/hdfs/webhdfs.ts'
import { seededRandom } from '../support/random.ts'
import { SinkWorld } from '../support/sink-world.ts'
import { hasHdfs, type RealHdfs, startHdfs } from './hdfs.ts'

const SUPERUSER = 'hdfs'
const USER = 'causeway'
const { signal } = new AbortController()

/** What operators do to a directory that a sink writes into, and what they read when they did it. */
describe.skipIf(!hasHdfs)('HDFS 3.4.3', () => {
  let hdfs: RealHdfs
  let world: SinkWorld
  beforeAll(async () => {
    hdfs = await startHdfs({ superuser: SUPERUSER })
    const root = new WebHdfs({ namenodes: [hdfs.nameNode.url], user: SUPERUSER })
    await root.create('/lake/data/test.raw/.begun', [], '644', signal)
    root.close()
    for (const path of ['/lake', '/lake/data', '/lake/data/test.raw'])
      await ask(path, `SETOWNER&owner=${USER}`)
    const store = new HdfsStore({ namenodes: [hdfs.nameNode.url], path: '/lake', user: USER })
    const stop = async () => store.close()
    world = await SinkWorld.over('hdfs', { store, stop })
  })
  afterAll(async () => {
    await world?.stop()
    await hdfs?.stop()
  })

  const ask = async (path: string, what: string) => {
    const url = `${hdfs.nameNode.url}/webhdfs/v1${path}?op=${what}&user.name=${SUPERUSER}`
    expect((await fetch(url, { method: 'PUT' })).status).toBe(200)
  }

  test.each([
    [
      'a quota',
      /store-quota: .*NSQuotaExceededException: The NameSpace quota .* of directory \/lake\/data is exceeded/,
      () => hdfs.tools.runOk('dfsadmin', ['-setQuota', '2', '/lake/data'], SUPERUSER),
      () => hdfs.tools.runOk('dfsadmin', ['-clrQuota', '/lake/data'], SUPERUSER)
    ],
    [
      'a permission',
      /store-denied: .*AccessControlException: Permission denied: user=causeway, access=WRITE/,
      // Directories of its own are closed too: it must not make new ones, nor write in those.
      () => close('555'),
      () => close('755')
    ]
  ])(
    '%s that is missing is told in the words of HDFS, and once it is there nothing is lost',
    async (_, words, refuse, allow) => {
      const sink = world.run()
      await world.produce(300, seededRandom(1))
      await world.untilCaughtUp(sink)
      await refuse()
      await world.produce(300, seededRandom(2))
      await sink.until(({ partitions }) => partitions.some(({ reason }) => words.test(reason ?? '')))
      const { ready, partitions } = sink.view()
      expect(ready).toBe(false)
      expect(partitions.map(({ state }) => state)).toContain('held')
      await allow()
      // A partition that is held looks again every 30 s.
      const states = () => sink.view().partitions.map(({ state }) => state)
      await vi.waitFor(() => expect(states()).not.toContain('held'), { timeout: 90_000, interval: 100 })
      await world.untilCaughtUp(sink)
      await sink.drain()
      await world.verify()
    }
  )

  /** Sets the permission of every directory below the data. */
  async function close(permission: string): Promise<void> {
    const client = new WebHdfs({ namenodes: [hdfs.nameNode.url], user: SUPERUSER })
    const below = async (path: string): Promise<void> => {
      await ask(path, `SETPERMISSION&permission=${permission}`)
      for (const { name, type } of await client.list(path, signal)) {
        if (type === 'DIRECTORY') await below(`${path}/${name}`)
      }
    }
    await below('/lake/data')
    client.close()
  }
})
