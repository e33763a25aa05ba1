import { beforeEach, expect, test } from 'vitest'
import { readBookmark, writeBookmark } from '../../../src/actors/hive/bookmark.ts'
import { type LogPiece, readPiece } from '../../../src/actors/hive/survey.ts'
import { entryPath } from '../../../src/actors/store/names.ts'
import { chainOf } from '../../support/chain-fixtures.ts'
import { writeClosed, writeEntry, writeGenesis, writeSegment } from '../../support/log-records.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { hourly, publishedEntry } from './hive-fixtures.ts'

const chain = chainOf()
const next = { ...chain, generation: 2 }
const { signal } = new AbortController()
let store: MemoryStore
beforeEach(() => {
  store = new MemoryStore()
})

const read = (from?: LogPiece['position'], limit = 100) =>
  readPiece(store, hourly, { chain, from, limit }, signal)
const hoursOf = ({ partitions }: LogPiece) => partitions.map(({ values }) => values[2])
/** Entries from 0 on, ten offsets each. */
const write = async (id: typeof chain, start: number, hours: readonly (readonly number[])[]) => {
  for (const [index, each] of hours.entries()) {
    await writeEntry(store, id, publishedEntry(id, start + 10 * index, each))
  }
}

test('a chain without a beginning has nothing yet', async () => {
  expect(await read()).toEqual({ position: undefined, partitions: [], isEnd: true })
})

test('the log is read in pieces, each partition of a piece once, files of dead letters none', async () => {
  await writeGenesis(store, chain, 0)
  await write(chain, 0, [[1], [1, 2], [], [3]])
  const first = await read(undefined, 2)
  expect([hoursOf(first), first.position, first.isEnd]).toEqual([
    ['01', '02'],
    { generation: 1, next: 20 },
    false
  ])
  const rest = await read(first.position)
  expect([hoursOf(rest), rest.position, rest.isEnd]).toEqual([['03'], { generation: 1, next: 40 }, true])
})

test('a rewind is followed into its new generation, and waited for while that has no beginning', async () => {
  await writeGenesis(store, chain, 0)
  await write(chain, 0, [[1], [2]])
  await writeClosed(store, chain, 20, 2)
  const waiting = await read()
  expect([hoursOf(waiting), waiting.position, waiting.isEnd]).toEqual([
    ['01', '02'],
    { generation: 1, next: 20 },
    true
  ])
  await writeGenesis(store, next, 5)
  await write(next, 5, [[4]])
  const after = await read(waiting.position)
  expect([hoursOf(after), after.position, after.isEnd]).toEqual([['04'], { generation: 2, next: 15 }, true])
})

test('sealed entries are read from their segment; a hole in the log is told', async () => {
  await writeGenesis(store, chain, 0)
  await write(chain, 0, [[1], [2], [3]])
  const entries = [publishedEntry(chain, 0, [1]), publishedEntry(chain, 10, [2])]
  for (const { from } of entries) await store.remove(entryPath(chain, from), signal)
  await expect(read()).rejects.toMatchObject({ code: 'log-gap', retryable: true })
  await writeSegment(store, chain, entries)
  const all = await read()
  expect([hoursOf(all), all.position, all.isEnd]).toEqual([
    ['01', '02', '03'],
    { generation: 1, next: 30 },
    true
  ])
  expect(hoursOf(await read({ generation: 1, next: 10 }))).toEqual(['02', '03'])
})

test('a bookmark counts for its table alone, and one that cannot be read for none', async () => {
  const position = { generation: 3, next: 70 }
  await writeBookmark(store, 'test.raw', chain, { ...position, incarnation: 'a' }, signal)
  expect(await readBookmark(store, 'test.raw', chain, 'a', signal)).toEqual(position)
  expect(await readBookmark(store, 'test.raw', chain, 'b', signal)).toBeUndefined()
  await store.replace('hive/v1/test.raw/hybrid/topic-id-1/0.json', Buffer.from('{'), signal)
  expect(await readBookmark(store, 'test.raw', chain, 'a', signal)).toBeUndefined()
})
