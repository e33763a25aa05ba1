import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { HdfsStore } from '../../src/actors/hdfs/store.ts'
import { S3Store } from '../../src/actors/s3/store.ts'
import { sinkDataPrefix } from '../../src/actors/store/names.ts'
import type { FileFormat } from '../../src/config.ts'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import { chooseSeed, seededRandom } from '../support/random.ts'
import { type Opened, SinkWorld } from '../support/sink-world.ts'
import { hasPython, pythonTool } from '../tools/python.ts'
import { hasHdfs, startHdfs } from './hdfs.ts'
import { hasMinio, startMinio } from './minio.ts'

const seed = chooseSeed()
const USER = 'causeway'
const TWEETS = 6_000

const formats: readonly (readonly [ending: string, format: FileFormat])[] = [
  ['ndjson.gz', { type: 'ndjson', codec: 'gzip' }],
  ['ndjson.zst', { type: 'ndjson', codec: 'zstd' }],
  ['txt', { type: 'text', codec: 'none' }],
  ['txt.gz', { type: 'text', codec: 'gzip' }]
]

/** A service with a place for each sink. */
interface Lakes {
  open(name: string): Opened
  stop(): Promise<void>
}

if (hasPython && hasMinio) linesOn('MinIO', minioLakes)
if (hasPython && hasHdfs) linesOn('HDFS 3.4.3', hdfsLakes)

function linesOn(name: string, start: () => Promise<Lakes>): void {
  describe(`lines on ${name}, read by Python`, () => {
    let lakes: Lakes
    let directory: string
    let world: SinkWorld | undefined
    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'causeway-lines-'))
      lakes = await start()
    })
    afterEach(() => world?.stop())
    afterAll(async () => {
      await lakes?.stop()
      rmSync(directory, { recursive: true, force: true })
    })

    test.each(formats)(
      'each tweet is in the files %s once, with all of its values',
      async (ending, format) => {
        world = await SinkWorld.over('s3', lakes.open(`lake-${ending}`))
        await world.produce(TWEETS, seededRandom(seed))
        const sink = world.run({ config: { format } })
        await world.untilCaughtUp(sink)
        await sink.drain()

        const committed = new Set(world.expected.flat())
        const tweets = Array.from({ length: TWEETS }, (_, index) => tweetAt(1, index))
        const lines = tweets.filter(({ id }) => committed.has(id)).map(({ json }) => `${json}\n`)
        const file = join(directory, `${ending}.source`)
        writeFileSync(file, lines.join(''))
        const { place } = world
        const data = `${place?.type === 's3' ? place.prefix : place?.path}/${sinkDataPrefix('test.raw')}`
        const given = { ...place, data, format: format.type, lines: file }
        const found = JSON.parse(await pythonTool('check_lines.py', [JSON.stringify(given)]))
        expect(found).toEqual({ rows: lines.length, endings: [ending] })
      },
      90_000
    )
  })
}

async function minioLakes(): Promise<Lakes> {
  const s3 = await startMinio()
  await s3.createBucket('lake')
  const { endpoint, region, accessKeyId, secretAccessKey } = s3
  const credentials = { accessKeyId, secretAccessKey }
  return {
    open: (prefix) => {
      const shared = { bucket: 'lake', prefix, endpoint, region }
      const store = new S3Store({ ...shared, pathStyle: true, credentials })
      return { store, place: { type: 's3', ...shared, ...credentials }, stop: async () => store.close() }
    },
    stop: () => s3.stop()
  }
}

async function hdfsLakes(): Promise<Lakes> {
  const hdfs = await startHdfs({ superuser: USER })
  const { url } = hdfs.nameNode
  return {
    open: (name) => {
      const shared = { path: `/${name}`, user: USER }
      const store = new HdfsStore({ namenodes: [url], ...shared })
      return { store, place: { type: 'hdfs', url, ...shared }, stop: async () => store.close() }
    },
    stop: () => hdfs.stop()
  }
}
