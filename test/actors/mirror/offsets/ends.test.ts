import { expect, test } from 'vitest'
import type { Cluster } from '../../../../src/actors/kafka/cluster.ts'
import { OffsetBook } from '../../../../src/actors/mirror/offsets/book.ts'
import { TargetEnds } from '../../../../src/actors/mirror/offsets/ends.ts'
import { OffsetRanges } from '../../../../src/actors/mirror/offsets/ranges.ts'

const place = { topic: 't', partition: 0 }

/** A partition that is copied from offset 10 on, to a target that ends at 7. */
function world(confirm: (book: OffsetBook) => void) {
  const book = new OffsetBook({ isTracked: () => true })
  book.own([0])
  book.begin(0, { ...place, targetTopic: 't' }, 10)
  let asked = 0
  const listOffsets = async () => {
    asked++
    return new Map([['t-0', 7]])
  }
  // Of a cluster nothing else is asked.
  const target = { listOffsets } as unknown as Cluster
  const ends = new TargetEnds({ target, book, confirm: async () => confirm(book) })
  const end = () => {
    const page = book.page(place)
    return page && ends.of(page, AbortSignal.timeout(10_000))
  }
  return { book, end, asked: () => asked }
}

function copy(book: OffsetBook): void {
  const ranges = new OffsetRanges(10)
  ranges.append(12, 9, 5)
  book.landed({ ...place, ranges })
}

test('an end counts only while nobody else could have moved it', async () => {
  const quiet = world(() => {})
  expect(await quiet.end()).toBe(7)
  expect([await quiet.end(), quiet.asked()], 'it stays, however the target grows').toEqual([7, 1])
  // The heartbeat shows that the shard has gone, or that somebody else has copied since.
  expect(await world((book) => book.own([])).end()).toBeUndefined()
  const others = world((book) => book.begin(0, { ...place, targetTopic: 't' }, 50))
  expect(await others.end()).toBeUndefined()
  const refused = world(() => {
    throw new Error('the session is over')
  })
  await expect(refused.end()).rejects.toThrow('the session is over')
})

test('what was copied while the end was asked for tells it', async () => {
  expect(await world(copy).end()).toBe(9)
})
