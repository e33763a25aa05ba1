import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { startWebHdfs } from '../../src/embedded/webhdfs/webhdfs.ts'
import { writeConfiguration } from '../real/hdfs/configuration.ts'
import { HadoopTools } from '../real/hdfs/tools.ts'
import { hasHdfs, startHdfs } from '../real/hdfs.ts'
import { answering } from './webhdfs/answers.ts'
import { hadoopClient } from './webhdfs/hadoop-client.ts'
import { listing } from './webhdfs/listing.ts'
import { ourClient } from './webhdfs/our-client.ts'
import { GROUPS, LISTING_MAX, SUPERUSER, type Subject } from './webhdfs/subject.ts'
import { uploading } from './webhdfs/uploads.ts'

/**
 * One suite, two services: what the embedded WebHDFS does is what Apache Hadoop's does. Each runs as a pair of NameNodes.
 *
 * - answers: every answer to a scenario of some 300 requests, in sections: directories, create, open and append, listing,
 *   rename without options, rename with options, delete, permissions and owners, below a file and the root, requests that
 *   are wrong, excluded DataNodes, replication and times, truncate, checksums, namespace quota, space quota, safe mode, standby
 * - uploads: one writer and no length while a file is written; what a cut connection leaves; deletion under the writer;
 *   replacement at once
 * - listing: directories larger than a page, whole and in pages, in HDFS's order
 * - our client: names of every kind, absence, large directories, races for a name, rename options, permissions, quotas,
 *   safe mode, NameNodes that change places
 * - Hadoop's own client (`hdfs dfs` over `webhdfs://`): -put -cat -tail -get -ls, -mv -cp, -chmod -chown -setrep -touch,
 *   permissions, -appendToFile -truncate, -checksum, -count, -rm -rmdir, files of our client, NameNodes that change places
 */
describe('WebHDFS on embedded', () => conformance(startEmbedded))
describe.skipIf(!hasHdfs)('WebHDFS on HDFS 3.4.3', () => conformance(startReal))

interface Started extends Subject {
  readonly stop: () => Promise<void>
}

function conformance(start: () => Promise<Started>): void {
  let started: Started | undefined
  const subject = (): Subject => {
    if (!started) throw new Error('the service has not started')
    return started
  }
  beforeAll(async () => {
    started = await start()
  }, 120_000)
  afterAll(() => started?.stop())

  describe('answers', () => answering(subject))
  describe('uploads', () => uploading(subject))
  describe('listing', () => listing(subject))
  describe('our client', () => ourClient(subject))
  describe.skipIf(!hasHdfs)("Hadoop's own client", () => hadoopClient(subject))
}

async function startEmbedded(): Promise<Started> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-webhdfs-'))
  const hdfs = await startWebHdfs({
    ...{ dataDir: join(directory, 'data'), superuser: SUPERUSER, groups: GROUPS },
    ...{ listingMax: LISTING_MAX, standby: true }
  })
  const nameNodes = [hdfs, hdfs.standby].map((one) => ({ rpc: 1, http: one?.port ?? -1 }))
  const { configuration } = writeConfiguration({
    ...{ directory, nameNodes, superuser: SUPERUSER, groups: GROUPS, settings: {} }
  })
  const tools = new HadoopTools(configuration)
  return {
    nameNode: hdfs.url,
    standby: hdfs.standby?.url ?? '',
    dfs: (args, user = SUPERUSER) => tools.run('dfs', args, user),
    setSafeMode: async (on) => hdfs.setState(on ? 'safe-mode' : 'active'),
    setActive: async (which) => {
      hdfs.setState(which === 'first' ? 'active' : 'standby')
      hdfs.standby?.setState(which === 'first' ? 'standby' : 'active')
    },
    stop: async () => {
      await tools.stop()
      await hdfs.stop()
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

async function startReal(): Promise<Started> {
  const settings = { 'dfs.ls.limit': String(LISTING_MAX) }
  const hdfs = await startHdfs({ superuser: SUPERUSER, groups: GROUPS, standby: true, settings })
  return {
    nameNode: hdfs.nameNode.url,
    standby: hdfs.standby?.url ?? '',
    dfs: (args, user = SUPERUSER) => hdfs.tools.run('dfs', args, user),
    setSafeMode: (on) => hdfs.setSafeMode(on),
    setActive: (which) => hdfs.setActive(which),
    stop: () => hdfs.stop()
  }
}
