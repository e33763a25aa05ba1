import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { openChain } from '../../../src/actors/store/chain.ts'
import type { Chunk } from '../../../src/actors/store/chunk.ts'
import { commitEntry, publishEntry, writeHead } from '../../../src/actors/store/commit.ts'
import { type Entry, instantOf } from '../../../src/actors/store/entry.ts'
import { chainName, repairPath } from '../../../src/actors/store/names.ts'
import { prepareChunk } from '../../../src/actors/store/prepare.ts'
import { readRepaired } from '../../../src/actors/store/records.ts'
import { type RepairOptions, repairEntry } from '../../../src/actors/store/repair.ts'
import { Fault } from '../../../src/errors.ts'
import { chainOf } from '../../support/chain-fixtures.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const { signal } = new AbortController()
const chain = chainOf()
const fingerprints = { schema: 's', config: 'c', encoder: 'e' }
const start = async () => ({ offset: 0, reason: 'earliest' })
const open = () => openChain(store, { chain, clusterId: '', start, now: () => 0 }, signal)
let store: MemoryStore
beforeEach(() => {
  store = new MemoryStore()
})

/** Records by directory; `encoder` tells apart what differs in bytes and not in rows. */
function chunkOf(rows: Readonly<Record<string, number>>, encoder = '1'): Chunk {
  const files = Object.entries(rows).map(([directory, records]) => {
    const content = Buffer.from(`${encoder} ${directory} ${records}`)
    const sha256 = createHash('sha256').update(content).digest('hex')
    const times = { minEventTimeMs: undefined, maxEventTimeMs: undefined }
    return {
      kind: 'data' as const,
      directory,
      parts: [content],
      bytes: content.length,
      records,
      sha256,
      ...times
    }
  })
  const kept = files.reduce((sum, { records }) => sum + records, 0)
  const counts = { read: kept, kept, filtered: 0, dead: 0 }
  return { id: 1, from: 0, to: 10, counts, leaderEpoch: 0, files }
}

async function committed(chunk: Chunk): Promise<Entry> {
  const opened = await open()
  const entry = await prepareChunk(store, { opened, chunk, nonce: 'aa', fingerprints, now: () => 0 }, signal)
  expect(await commitEntry(store, chain, entry, signal)).toBe('won')
  return entry
}

function repair(entry: Entry, chunk: Chunk | Fault, options: Partial<RepairOptions> = {}): Promise<Entry> {
  const replay = async () => {
    if (chunk instanceof Fault) throw chunk
    return chunk
  }
  return repairEntry(
    store,
    { chain, entry, fingerprints, nonce: 'bb', replay, now: () => 5, ...options },
    signal
  )
}

const contentOf = (path = '') => store.files.visible.get(path)?.content.toString()
const never = () => Promise.reject(new Error('must not be asked'))

describe('an entry whose prepared bytes are gone', () => {
  test('gets new ones under its own paths, and only for the files that are gone', async () => {
    const entry = await committed(chunkOf({ a: 4, b: 6 }))
    const [first, second] = entry.files
    store.files.prepared.delete([...store.files.prepared.keys()][1] ?? '')
    await expect(publishEntry(store, entry, signal)).rejects.toMatchObject({ code: 'prepared-gone' })

    const repaired = await repair(entry, chunkOf({ a: 4, b: 6 }, 'another encoder'))
    await publishEntry(store, repaired, signal)
    expect(contentOf(first?.path)).toBe('1 a 4')
    expect(contentOf(second?.path)).toBe('another encoder b 6')
    expect(repaired.files.map(({ path, writer }) => [path, writer])).toEqual([
      [first?.path, undefined],
      [second?.path, 'bb']
    ])
    expect([...store.files.visible.keys()].filter((path) => path.startsWith('data/'))).toHaveLength(2)
    // Whoever opens the chain, or reads it, sees the new facts.
    expect((await open()).last).toEqual(repaired)
    expect(await readRepaired(store, chain, 0, signal)).toEqual(repaired)
  })

  test('is not repaired where the file turns out to be there', async () => {
    const entry = await committed(chunkOf({ a: 4 }))
    await publishEntry(store, entry, signal)
    expect(await repair(entry, chunkOf({}), { replay: never })).toEqual(entry)
    expect(contentOf(repairPath(chain, 0, 1))).toBeUndefined()
  })

  test('is not repaired where it turns out to be there after all', async () => {
    const entry = await committed(chunkOf({ a: 4 }))
    const { path = '' } = entry.files[0] ?? {}
    const [prepared] = store.files.prepared.values()
    store.files.prepared.clear()
    // A slow completion of another process lands between our try and our look.
    const { discard } = store
    store.discard = async (...args) => {
      await discard.apply(store, args)
      store.files.visible.set(path, {
        content: Buffer.concat(prepared?.parts ?? []),
        entryId: prepared?.entryId
      })
    }
    expect(await repair(entry, chunkOf({}), { replay: never })).toEqual(entry)
    await publishEntry(store, entry, signal)
    expect(contentOf(path)).toBe('1 a 4')
  })

  test('is not repaired with other counts, nor after the columns or the layout changed', async () => {
    const entry = await committed(chunkOf({ a: 4 }))
    store.files.prepared.clear()
    for (const wrong of [chunkOf({ a: 3 }), chunkOf({ b: 4 }), { ...chunkOf({ a: 4 }), to: 9 }]) {
      await expect(repair(entry, wrong)).rejects.toMatchObject({ code: 'publish-blocked', retryable: false })
    }
    for (const changed of [{ config: 'x' }, { schema: 'x' }]) {
      const options = { fingerprints: { ...fingerprints, ...changed }, replay: never }
      await expect(repair(entry, chunkOf({}), options)).rejects.toMatchObject({ code: 'publish-blocked' })
    }
    const encoder = { fingerprints: { ...fingerprints, encoder: 'newer' } }
    await expect(repair(entry, chunkOf({ a: 4 }), encoder)).resolves.toBeDefined()
    expect(store.files.prepared.size).toBe(1)
  })

  test('is lost where Kafka does not have its records any more', async () => {
    const entry = await committed(chunkOf({ a: 4 }))
    store.files.prepared.clear()
    const lost = new Fault('records-lost', 'offsets [0, 7) are not in Kafka any more')
    await expect(repair(entry, lost)).rejects.toBe(lost)
    expect(contentOf(repairPath(chain, 0, 1))).toBeUndefined()
  })

  test('can be repaired twice, when the new bytes go, too', async () => {
    const entry = await committed(chunkOf({ a: 4 }))
    store.files.prepared.clear()
    const once = await repair(entry, chunkOf({ a: 4 }, '2'))
    store.files.prepared.clear()
    const twice = await repair(once, chunkOf({ a: 4 }, '3'), { nonce: 'cc' })
    expect(contentOf(repairPath(chain, 0, 2))).toBeDefined()
    await publishEntry(store, twice, signal)
    expect(contentOf(entry.files[0]?.path)).toBe('3 a 4')
  })

  test('is repaired by one of two that try at once, also when replies are lost', async () => {
    const entry = await committed(chunkOf({ a: 4 }))
    store.files.prepared.clear()
    store.faults.add({ subject: /^create .*repair/, action: { type: 'lose-reply' } })
    const [a, b] = await Promise.all(
      ['b1', 'b2'].map((nonce) => repair(entry, chunkOf({ a: 4 }, nonce), { nonce }))
    )
    expect(a).toEqual(b)
    expect(store.files.prepared.size, 'the loser discards its bytes').toBe(1)
    await publishEntry(store, a as Entry, signal)
    await publishEntry(store, b as Entry, signal)
    expect(contentOf(entry.files[0]?.path)).toBe(`${a?.files[0]?.writer} a 4`)
    expect(contentOf(repairPath(chain, 0, 2))).toBeUndefined()
  })
})

describe('an entry that has outlived its time', () => {
  const late = { ttlMs: 100, now: () => 100 }
  const early = { ttlMs: 100, now: () => 99 }

  test('is not made visible again, neither from what was prepared nor from Kafka', async () => {
    const entry = await committed(chunkOf({ a: 4 }))
    await publishEntry(store, entry, signal, late)
    expect(contentOf(entry.files[0]?.path)).toBeUndefined()
    expect(await repair(entry, chunkOf({}), { ...late, replay: never })).toEqual(entry)
    await writeHead(store, chain, entry, 0, signal)
    expect(await open()).toMatchObject({ end: 10, published: true })
  })

  test('is published while its time lasts', async () => {
    const entry = await committed(chunkOf({ a: 4 }))
    expect(entry.committedAt).toBe(instantOf(0))
    await publishEntry(store, entry, signal, early)
    expect(contentOf(entry.files[0]?.path)).toBe('1 a 4')
  })
})

test('a repair of another entry at the same offset says nothing', async () => {
  const entry = await committed(chunkOf({ a: 4 }))
  store.files.prepared.clear()
  await repair({ ...entry, nonce: 'zz' }, chunkOf({ a: 4 }))
  expect((await open()).last?.files[0]).not.toHaveProperty('writer')
  expect(entry.chain).toBe(chainName(chain))
})
