import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { WebHdfs } from '../../src/actors/hdfs/webhdfs.ts'
import { type HdfsOptions, hasHdfs, type RealHdfs, startHdfs } from './hdfs.ts'

const USER = 'root'
const { signal } = new AbortController()

/** What our client meets when servers of HDFS die and come back, which no embedded service shows. */
describe.skipIf(!hasHdfs)('HDFS 3.4.3', () => {
  let hdfs: RealHdfs
  let client: WebHdfs
  const write = (path: string, content = path) => client.create(path, [Buffer.from(content)], '644', signal)
  const read = async (path: string) => (await client.open(path, signal))?.toString()
  const begin = async (options: HdfsOptions) => {
    hdfs = await startHdfs({ superuser: USER, ...options })
    const namenodes = [hdfs.nameNode, hdfs.standby].flatMap((one) => one?.url ?? [])
    client = new WebHdfs({ namenodes, user: USER, timeoutMs: 5_000 })
  }
  const end = async () => {
    client?.close()
    await hdfs?.stop()
  }
  const stopDataNodes = () => Promise.all(hdfs.dataNodes.map(({ process }) => process.kill()))
  const startDataNodes = () => Promise.all(hdfs.dataNodes.map(({ process }) => process.start()))

  describe('with two DataNodes', () => {
    beforeAll(() => begin({ dataNodes: 2 }))
    afterAll(end)

    test('a DataNode is killed: the NameNode still sends clients there, and ours writes on the other', async () => {
      const [dead] = hdfs.dataNodes
      await dead?.process.kill()
      const paths = Array.from({ length: 12 }, (_, index) => `/killed/${index}`)
      const redirects = Array.from({ length: 40 }, async () => {
        const query = `op=CREATE&noredirect=true&user.name=${USER}`
        const reply = await fetch(`${hdfs.nameNode.url}/webhdfs/v1/killed?${query}`, { method: 'PUT' })
        return new URL(((await reply.json()) as { Location: string }).Location).host
      })
      expect(await Promise.all(redirects)).toContain(dead?.http)
      // Both DataNodes have the same address, so excluding it may exclude the living one: then it is tried again.
      for (const path of paths) await eventually(() => write(path))
      for (const path of paths) expect(await read(path)).toBe(path)
      await dead?.process.start()
    })

    test('a file whose DataNodes are dead is unreadable for now, not absent', async () => {
      await write('/only')
      await stopDataNodes()
      expect(await client.status('/only', signal)).toMatchObject({ type: 'FILE' })
      await expect(client.open('/only', signal)).rejects.toMatchObject({ retryable: true })
      await expect(write('/other')).rejects.toMatchObject({ retryable: true })
      await startDataNodes()
      expect(await read('/only')).toBe('/only')
      await write('/other')
    })

    test('a NameNode that starts is in safe mode until DataNodes have reported, and is waited for', async () => {
      await write('/before')
      await stopDataNodes()
      await hdfs.nameNode.process.kill()
      await expect(client.status('/before', signal)).rejects.toMatchObject({ code: 'unreachable' })
      await hdfs.nameNode.process.start()
      const waiting = { code: 'store-not-ready', retryable: true }
      await eventually(() => expect(client.delete('/before', signal)).rejects.toMatchObject(waiting))
      expect(await client.status('/before', signal)).toMatchObject({ type: 'FILE' })
      await startDataNodes()
      await eventually(() => write('/after'))
      expect(await read('/before')).toBe('/before')
    })

    test('quotas that an operator sets and clears are seen at once', async () => {
      const dfsadmin = (...args: string[]) => hdfs.tools.runOk('dfsadmin', args, USER)
      const full = { code: 'store-quota', retryable: false }
      await write('/quota/one')
      await dfsadmin('-setQuota', '2', '/quota')
      await expect(write('/quota/two')).rejects.toMatchObject(full)
      await dfsadmin('-clrQuota', '/quota')
      await dfsadmin('-setSpaceQuota', '1m', '/quota')
      await expect(write('/quota/two')).rejects.toMatchObject(full)
      await dfsadmin('-clrSpaceQuota', '/quota')
      await write('/quota/two')
    })
  })

  describe('with a pair of NameNodes', () => {
    beforeAll(() => begin({ standby: true }))
    afterAll(end)

    test('the standby takes over when the active NameNode is killed, and nothing is lost', async () => {
      await write('/before')
      await hdfs.nameNode.process.kill()
      await expect(client.delete('/before', signal)).rejects.toMatchObject({ retryable: true })
      await hdfs.tools.runOk('haadmin', ['-transitionToActive', '--forceactive', 'nn2'], USER)
      expect(await read('/before')).toBe('/before')
      await write('/after')
      await hdfs.nameNode.process.start()
      // One that starts may be silent for so long that whoever asks has to come again.
      await eventually(async () => expect(await read('/after')).toBe('/after'))
      expect(await client.rename('/after', '/renamed', 'NONE', signal)).toBe(true)
    })
  })
})

/** Tries until it succeeds; the machine may be busy. */
function eventually(attempt: () => unknown): Promise<unknown> {
  return vi.waitFor(attempt, { timeout: 60_000, interval: 50 })
}
