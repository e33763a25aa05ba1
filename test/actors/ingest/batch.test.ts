import { expect, test } from 'vitest'
import { RecentIds } from '../../../src/actors/feed/recent-ids.ts'
import { compose, type IngestTopics } from '../../../src/actors/ingest/batch.ts'
import { decodeRecords } from '../../../src/records/record.ts'

const topics: IngestTopics = {
  topic: 'hybrid',
  partitions: 4,
  maxBytes: 2_000,
  positionsTopic: 'positions',
  deadTopic: 'dead',
  deadMaxBytes: 4_000,
  codec: 0
}

function chunkOf(...lines: readonly string[]) {
  const parsed = lines.map((line, index) => ({
    bytes: Buffer.from(line),
    length: Buffer.byteLength(line),
    line: index + 1,
    offset: index * 100
  }))
  return {
    lines: parsed,
    cursor: { offset: lines.length * 100, line: lines.length + 1 },
    bytes: 0,
    lease: { bytes: 0, release: () => {} }
  }
}

function written(batches: ReturnType<typeof compose>['batches'], topic: string) {
  return batches
    .filter((batch) => batch.topic === topic)
    .flatMap(({ partition, batch }) => decodeRecords(batch).map((record) => ({ partition, ...record })))
}

const event = (id: number, text = '') => JSON.stringify({ data: { id: String(id), text } })

test('a transaction holds the events, the cursor after them and their ids', () => {
  const window = new RecentIds({ keepMs: 600_000 }, [], 0)
  const chunks = [chunkOf(event(1)), chunkOf(event(2), event(3))]
  const { batches, cursor, records } = compose(chunks, 'x', topics, window, 99)
  expect(records).toBe(3)
  expect(cursor).toEqual({ offset: 200, line: 3 })
  expect(
    written(batches, 'hybrid')
      .map(({ key }) => `${key}`)
      .sort()
  ).toEqual(['1', '2', '3'])
  expect(written(batches, 'positions').map(({ key, value }) => `${key} ${value}`)).toEqual([
    'cursor x {"offset":200,"line":3}',
    'ids-0 {"at":99,"ids":["1","2","3"]}'
  ])
})

test('repeats are dropped, within a transaction and between two, dead letters as well', () => {
  const window = new RecentIds({ keepMs: 600_000 }, [], 0)
  const first = compose([chunkOf(event(1), 'no json', event(1))], 'x', topics, window, 1)
  const second = compose([chunkOf('no json', event(1), event(2))], 'x', topics, window, 2)
  expect([first.records, first.repeated, first.dead]).toEqual([1, 1, 1])
  expect([second.records, second.repeated, second.dead]).toEqual([1, 2, 0])
})

test('without a window everything is kept', () => {
  const { records, batches } = compose([chunkOf(event(1), event(1))], 'file /x', topics, undefined, 1)
  expect(records).toBe(2)
  expect(written(batches, 'positions').length).toBe(1)
})

test('events of one partition keep their order over as many batches as the limit asks for', () => {
  const lines = Array.from({ length: 50 }, (_, n) => event(n, 'x'.repeat(300)))
  const { batches } = compose(
    [chunkOf(...lines.slice(0, 20)), chunkOf(...lines.slice(20))],
    'x',
    topics,
    undefined,
    1
  )
  for (const { batch, topic } of batches)
    if (topic === 'hybrid') expect(batch.length).toBeLessThanOrEqual(2_000)
  const all = written(batches, 'hybrid')
  expect(all.length).toBe(50)
  for (const partition of [0, 1, 2, 3]) {
    const keys = all.filter((one) => one.partition === partition).map(({ key }) => Number(`${key}`))
    expect(keys).toEqual([...keys].sort((a, b) => a - b))
  }
})

test('what is too large for the topic, or too long to be kept, is a dead letter cut to fit', () => {
  const large = event(1, 'x'.repeat(5_000))
  const chunk = chunkOf(large)
  const long = { ...chunk, lines: [{ bytes: Buffer.from('abc'), length: 1e9, line: 1, offset: 0 }] }
  const { batches, dead } = compose([chunk, long], 'file /x', topics, undefined, 1)
  expect(dead).toBe(2)
  const letters = written(batches, 'dead')
  const headers = letters.map((letter) =>
    Object.fromEntries(letter.headers.map(({ key, value }) => [key, `${value}`]))
  )
  expect(headers.map(({ reason, length }) => [reason, length])).toEqual([
    ['event-too-large', String(large.length)],
    ['line-too-long', '1000000000']
  ])
  expect(letters[0]?.value?.length).toBeLessThan(4_000)
})
