import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AbortedFilter, type AbortedTransaction } from '../../src/records/aborted.ts'
import { at, type BatchHeader, bit, readHeader } from '../../src/records/batch.ts'
import { encodeBatch } from '../../src/records/record.ts'

interface Written {
  readonly header: BatchHeader
  /** What an all-knowing reader says. */
  readonly aborted: boolean
}

/** What a log may be asked for next, by one of few producers, so that their transactions interleave. */
const step = fc.record({
  producer: fc.integer({ min: 1, max: 3 }),
  what: fc.constantFrom('write', 'write', 'write', 'plain', 'commit', 'abort'),
  records: fc.integer({ min: 1, max: 3 })
})

function headerAt(offset: number, records: number, producerId: number, attributes: number): BatchHeader {
  const record = { key: null, value: null, headers: [], timestamp: 0 }
  const batch = encodeBatch(Array(records).fill(record), { codec: 0, producerId })
  batch.writeBigInt64BE(BigInt(offset), at.baseOffset)
  batch.writeInt16BE(attributes, at.attributes)
  return readHeader(batch, 0)
}

/** Plays the steps as a broker would, ending all transactions, and lists those that were aborted. */
function play(steps: readonly { producer: number; what: string; records: number }[], lastEndings: string[]) {
  const batches: { header: BatchHeader; transaction?: { outcome: string } }[] = []
  const aborted: (AbortedTransaction & { last: number })[] = []
  const open = new Map<number, { outcome: string; first: number }>()
  let offset = 0
  const end = (producer: number, outcome: string) => {
    const transaction = open.get(producer)
    if (transaction === undefined) return
    transaction.outcome = outcome
    open.delete(producer)
    if (outcome === 'abort')
      aborted.push({ producerId: producer, firstOffset: transaction.first, last: offset })
    batches.push({ header: headerAt(offset++, 1, producer, bit.transactional | bit.control) })
  }
  for (const { producer, what, records } of steps) {
    if (what === 'commit' || what === 'abort') end(producer, what)
    else if (what === 'plain') {
      // A producer may write outside a transaction only while it has none; Kafka refuses it otherwise.
      if (open.has(producer)) continue
      batches.push({ header: headerAt(offset, records, producer, 0) })
      offset += records
    } else {
      const transaction = open.get(producer) ?? { outcome: 'open', first: offset }
      open.set(producer, transaction)
      batches.push({ header: headerAt(offset, records, producer, bit.transactional), transaction })
      offset += records
    }
  }
  for (const [index, producer] of [...open.keys()].entries()) end(producer, lastEndings[index] ?? 'commit')
  const written = batches.map(
    ({ header, transaction }): Written => ({ header, aborted: transaction?.outcome === 'abort' })
  )
  return { written, aborted }
}

const endings = fc.array(fc.constantFrom('commit', 'abort'), { minLength: 3, maxLength: 3 })

test('the filter says what a reader of the whole log knows, from any offset, however the list is ordered', () => {
  const steps = fc.array(step, { maxLength: 40 })
  fc.assert(
    fc.property(steps, endings, fc.nat(), fc.infiniteStream(fc.nat()), (log, last, from, order) => {
      const { written, aborted } = play(log, last)
      const start = written.length === 0 ? 0 : from % written.length
      const fetchOffset = written[start]?.header.baseOffset ?? 0
      const listed = aborted
        .filter((transaction) => transaction.last >= fetchOffset)
        .map((transaction) => ({ transaction, rank: order.next().value }))
        .sort((a, b) => a.rank - b.rank)
        .map(({ transaction }) => transaction)
      const filter = new AbortedFilter(listed)
      const said = written.slice(start).map(({ header }) => filter.isAborted(header))
      expect(said).toEqual(written.slice(start).map((batch) => batch.aborted))
    }),
    { numRuns: 400 }
  )
})

test('interleaved producers, listed by their last offset as brokers do', () => {
  const filter = new AbortedFilter([
    { producerId: 2, firstOffset: 5 },
    { producerId: 1, firstOffset: 0 }
  ])
  const says = (offset: number, producer: number, attributes: number) =>
    filter.isAborted(headerAt(offset, 1, producer, attributes))
  expect(says(0, 1, bit.transactional)).toBe(true)
  expect(says(5, 2, bit.transactional)).toBe(true)
  expect(says(6, 2, bit.transactional | bit.control)).toBe(false)
  expect(says(7, 2, bit.transactional)).toBe(false)
  expect(says(8, 1, bit.transactional)).toBe(true)
  expect(says(9, 1, bit.transactional | bit.control)).toBe(false)
  expect(says(10, 1, bit.transactional)).toBe(false)
})
