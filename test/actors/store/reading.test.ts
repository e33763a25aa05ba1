import { beforeEach, expect, test } from 'vitest'
import { entryPath } from '../../../src/actors/store/names.ts'
import { entriesFrom } from '../../../src/actors/store/reading.ts'
import { chainOf, preparedEntry } from '../../support/chain-fixtures.ts'
import { writeClosed, writeEntry, writeSegment } from '../../support/log-records.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const { signal } = new AbortController()
const chain = chainOf()
let store: MemoryStore
beforeEach(() => {
  store = new MemoryStore()
})

/** Loose entries from 0 to 50, ten offsets each. */
async function written() {
  const entries = []
  for (let from = 0; from < 50; from += 10) {
    const entry = await preparedEntry(store, chain, { from, to: from + 10, nonce: `n${from}` }, signal)
    await writeEntry(store, chain, entry)
    entries.push(entry)
  }
  return entries
}

async function read(from: number): Promise<number[]> {
  const starts: number[] = []
  for await (const entry of entriesFrom(store, chain, from, signal)) starts.push(entry.from)
  return starts
}

test('entries are read in order, wherever they lie, and from the middle of a segment', async () => {
  const entries = await written()
  await writeSegment(store, chain, entries.slice(0, 2))
  await writeSegment(store, chain, entries.slice(2, 4))
  for (const from of [0, 10, 20, 30]) await store.remove(entryPath(chain, from), signal)
  expect(await read(0)).toEqual([0, 10, 20, 30, 40])
  expect(await read(10)).toEqual([10, 20, 30, 40])
  expect(await read(50)).toEqual([])
})

test('the entry that closes a generation is the last', async () => {
  await written()
  await writeClosed(store, chain, 50, 2)
  expect(await read(30)).toEqual([30, 40, 50])
})

test('the end of the log costs no listing', async () => {
  await written()
  store.calls.length = 0
  expect(await read(40)).toEqual([40])
  expect(store.calls.filter((call) => call.startsWith('list'))).toEqual([])
})

test('where the head tells of entries that are nowhere, the log has a gap', async () => {
  const entries = await written()
  await writeSegment(store, chain, entries.slice(0, 2))
  for (const from of [0, 10, 20]) await store.remove(entryPath(chain, from), signal)
  await expect(read(0)).rejects.toMatchObject({ code: 'log-gap', retryable: true })
  await expect(read(5)).rejects.toMatchObject({ code: 'log-gap' })
  expect(await read(30)).toEqual([30, 40])
})
