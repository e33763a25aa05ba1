import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { expect, test } from 'vitest'
import { openTableFile } from '../../../src/actors/files/table-file.ts'
import type { Outcome } from '../../../src/actors/rows/decoder.ts'
import { openDecoders, sinkColumns } from '../../../src/actors/rows/open.ts'
import { tweetAt } from '../../../src/embedded/event-stream/generator.ts'
import { writeInt64 } from '../../../src/records/bytes.ts'
import { encodeBatch, forEachRecord } from '../../../src/records/record.ts'

function encode(values: readonly string[], lineage: boolean, timestamp = 1_700_000_000_000) {
  const records = values.map((value) => ({ key: null, value: Buffer.from(value), headers: [], timestamp }))
  const batch = encodeBatch(records, { codec: 4 })
  writeInt64(batch, 2 ** 40, 0)
  const decoder = openDecoders({ preset: 'tweet', lineage })({ topic: 'hybrid', partition: 3 })
  const table = openTableFile({ type: 'parquet', codec: 'snappy' }, decoder.columns)
  const outcomes: Outcome[] = []
  forEachRecord(batch, (record) => {
    const outcome = decoder.read(record)
    outcomes.push(outcome)
    if (outcome !== 'row') return
    decoder.appendTo(table)
    table.endRow()
  })
  const { rows } = table
  const content = Buffer.concat(table.finish())
  const file = content.buffer.slice(content.byteOffset, content.byteOffset + content.length) as ArrayBuffer
  return { outcomes, rows, file }
}

test('a tweet and where it came from become one row; what is no tweet leaves none', async () => {
  const [first, second] = [tweetAt(1, 0), tweetAt(1, 1)]
  const { outcomes, rows, file } = encode([first.json, '{"no":1}', second.json], true)
  expect(rows).toBe(2)
  expect(outcomes).toEqual(['row', { reason: 'id is missing' }, 'row'])
  const read = await parquetReadObjects({ file, compressors })
  expect(read.map(({ id, _topic, _partition, _offset }) => [id, _topic, _partition, _offset])).toEqual([
    [BigInt(first.id), 'hybrid', 3, BigInt(2 ** 40)],
    [BigInt(second.id), 'hybrid', 3, BigInt(2 ** 40 + 2)]
  ])
  expect(read[0]).toMatchObject({ text: first.text, _timestamp: new Date(1_700_000_000_000) })
})

test('a record without a timestamp has none in the row', async () => {
  const { file } = encode([tweetAt(1, 0).json], true, -1)
  expect((await parquetReadObjects({ file, compressors }))[0]).toMatchObject({ _timestamp: null })
})

test('without lineage the columns are the tweet alone', () => {
  const { file } = encode([tweetAt(1, 0).json], false)
  const names = parquetMetadata(file)
    .schema.slice(1)
    .map(({ name }) => name)
  expect(names).toEqual(sinkColumns({ preset: 'tweet', lineage: false }).map(({ name }) => name))
  expect(names).toHaveLength(15)
})
