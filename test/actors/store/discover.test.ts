import { expect, test } from 'vitest'
import { discoverChains } from '../../../src/actors/store/discover.ts'
import { type ChainId, chainName, topicIdPath } from '../../../src/actors/store/names.ts'
import { chainOf, preparedEntry } from '../../support/chain-fixtures.ts'
import { writeEntry, writeGenesis } from '../../support/log-records.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const { signal } = new AbortController()

const entryOf = (store: MemoryStore, chain: ChainId, from: number) =>
  preparedEntry(store, chain, { from, to: from + 10, nonce: `a${from}` }, signal)

test('chains are found by one listing request each, whatever the length of their logs', async () => {
  const store = new MemoryStore()
  const chains = [
    chainOf(0),
    chainOf(1),
    chainOf(12),
    { ...chainOf(0), generation: 2 },
    { ...chainOf(0), topic: 'ü+/' }
  ]
  for (const chain of chains) {
    await writeGenesis(store, chain, 7)
    for (let from = 7; from < 100; from += 10)
      await writeEntry(store, chain, await entryOf(store, chain, from))
  }
  const unborn = { ...chainOf(3), topic: 'no-genesis' }
  await writeEntry(store, unborn, await entryOf(store, unborn, 0))
  await writeGenesis(store, { ...chainOf(0), sink: 'test.raw2' }, 0)
  await store.create(topicIdPath('test.raw', 'hybrid'), Buffer.from('{}'), signal)
  store.calls.length = 0
  const found = await discoverChains(store, 'test.raw', signal)
  const names = chains.map(chainName)
  expect(found.map(({ chain }) => chain).sort()).toEqual(names.sort())
  expect(found.every(({ id, chain, start }) => start === 7 && chainName(id) === chain)).toBe(true)
  expect(store.calls.filter((call) => call.startsWith('list'))).toHaveLength(chains.length + 2)
  expect(await discoverChains(new MemoryStore(), 'test.raw', signal)).toEqual([])
})
