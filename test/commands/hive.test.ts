import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { HdfsStore } from '../../src/actors/hdfs/store.ts'
import { startWebHdfs } from '../../src/embedded/webhdfs/webhdfs.ts'
import { publishedEntry } from '../actors/hive/hive-fixtures.ts'
import { causeway } from '../support/command-line.ts'
import { writeClosed, writeEntry, writeGenesis } from '../support/log-records.ts'
import { cleanups } from '../tools/cleanup.ts'

const directory = mkdtempSync(join(tmpdir(), 'causeway-hive-ddl-'))
const defer = cleanups()
const configure = (namenode: string, hive = 'hive = { url = "hive2://nowhere", table = "tweets" }') =>
  writeFileSync(
    join(directory, 'causeway.toml'),
    `name = "test"
data_dir = "data"
[cluster.onprem]
brokers = ["nowhere:9092"]
[store.lake]
type = "hdfs"
namenodes = ["${namenode}"]
path = "/lake"
user = "causeway"
[hdfs_sink.raw]
cluster = "onprem"
topics = ["hybrid"]
store = "lake"
${hive}
`
  )
const ddl = (...args: readonly string[]) =>
  causeway(directory, 'hive', 'ddl', '--config', 'causeway.toml', ...args)
beforeAll(() => () => rmSync(directory, { recursive: true }))

test('the table is told without asking anybody; columns that came later, too', async () => {
  configure('http://nowhere:9870')
  const { exitCode, out } = await ddl('--sink', 'raw', '--added', '_offset')
  expect(exitCode).toBe(0)
  expect(out.split(';\n')).toEqual([
    expect.stringMatching(
      /^CREATE EXTERNAL TABLE IF NOT EXISTS `default`\.`tweets` \([^;]*LOCATION '\/lake\/data\/test\.raw'/
    ),
    'ALTER TABLE `default`.`tweets` ADD COLUMNS (`_offset` BIGINT) CASCADE;'
  ])
})

test('a sink without a table is given one by name', async () => {
  configure('http://nowhere:9870', '')
  expect(await ddl('--sink', 'raw')).toMatchObject({ exitCode: 2, err: expect.stringContaining('--table') })
  const { out } = await ddl('--sink', 'raw', '--database', 'lake', '--table', 'seen')
  expect(out).toContain('CREATE EXTERNAL TABLE IF NOT EXISTS `lake`.`seen` (')
})

test.each([
  [['--sink', 'other'], 'no [hdfs_sink.other]'],
  [['--sink', 'raw', '--added', 'nix'], 'no column "nix"']
])('%j is refused', async (args, why) => {
  configure('http://nowhere:9870')
  expect(await ddl(...args)).toMatchObject({ exitCode: 2, err: expect.stringContaining(why) })
})

test('the partitions of all files in the log are told once each, through a rewind', async () => {
  const dataDir = join(directory, 'hdfs')
  const hdfs = await startWebHdfs({ dataDir, superuser: 'causeway' })
  const store = new HdfsStore({ namenodes: [hdfs.url], path: '/lake', user: 'causeway' })
  defer(async () => {
    store.close()
    await hdfs.stop()
  })
  const chain = { sink: 'test.raw', topic: 'hybrid', topicId: 'id', generation: 1, partition: 0 }
  const others = [
    { ...chain, generation: 2 },
    { ...chain, partition: 1 }
  ]
  for (const each of [chain, ...others]) {
    await writeGenesis(store, each, 0)
    await writeEntry(store, each, publishedEntry(each, 0, [1, 2]))
  }
  await writeEntry(store, others[0] ?? chain, publishedEntry(others[0] ?? chain, 10, [5]))
  await writeClosed(store, chain, 10, 2)
  configure(hdfs.url)
  const { exitCode, out } = await ddl('--sink', 'raw', '--partitions')
  expect(exitCode).toBe(0)
  const hours = [...out.matchAll(/PARTITION \(`topic` = 'hybrid', `dt` = '2026-01-02', `hour` = '(\d\d)'\)/g)]
  expect(hours.map(([, hour]) => hour)).toEqual(['01', '02', '05'])
})
