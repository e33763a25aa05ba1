import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseDataName } from '../../src/actors/store/names.ts'
import type { FileFormat } from '../../src/config/types.ts'
import { chooseSeed, seededRandom } from '../support/random.ts'
import { SinkWorld } from '../support/sink-world.ts'

const seed = chooseSeed()
const signal = AbortSignal.timeout(60_000)

let world: SinkWorld
beforeEach(async () => {
  world = await SinkWorld.start('memory')
})
afterEach(() => world.stop())

/** Every published line, with the range that its file's name tells. */
async function linesOf(extension: string, text: (content: Buffer) => string) {
  const lines: {
    readonly line: string
    readonly from: number
    readonly to: number
    readonly partition: number
  }[] = []
  for await (const { path } of world.store.list('data/', {}, signal)) {
    const name = parseDataName(path)
    expect(name?.extension).toBe(extension)
    if (name === undefined) throw new Error(`${path} is no name of ours`)
    const { from, to, partition } = name
    const content = (await world.store.read(path, signal)) ?? Buffer.alloc(0)
    for (const line of text(content).split('\n').slice(0, -1)) lines.push({ line, from, to, partition })
  }
  return lines
}

async function keptRecords(): Promise<number> {
  let kept = 0
  for await (const { path } of world.store.list('log/v1/', {}, signal)) {
    const record = JSON.parse(String(await world.store.read(path, signal)))
    if (record.type === 'entry') kept += record.counts.kept
  }
  return kept
}

const formats: [
  FileFormat,
  string,
  (content: Buffer) => string,
  (line: string) => { partition: number; offset: number }
][] = [
  [
    { type: 'ndjson', codec: 'gzip' },
    'ndjson.gz',
    (content) => gunzipSync(content).toString(),
    (line) => {
      const row = JSON.parse(line)
      return { partition: row._partition, offset: row._offset }
    }
  ],
  [
    { type: 'text', codec: 'none' },
    'txt',
    String,
    (line) => {
      const [partition, offset] = line.split('|').slice(-3, -1).map(Number)
      return { partition: partition ?? -1, offset: offset ?? -1 }
    }
  ]
]

test.each(formats)(
  'files of format %o hold each offset once, within the range of their names',
  async (format, extension, text, read) => {
    await world.produce(2_000, seededRandom(seed))
    const sink = world.run({ config: { format, rotateRecords: 300 } })
    await world.untilCaughtUp(sink)
    await sink.drain()
    const lines = await linesOf(extension, text)
    const seen = new Set<string>()
    for (const { line, from, to, partition } of lines) {
      const row = read(line)
      expect(row.partition).toBe(partition)
      expect(row.offset).toBeGreaterThanOrEqual(from)
      expect(row.offset).toBeLessThan(to)
      seen.add(`${row.partition}-${row.offset}`)
    }
    expect(seen.size).toBe(lines.length)
    expect(lines.length).toBe(await keptRecords())
    expect(lines.length).toBeGreaterThan(500)
  }
)
