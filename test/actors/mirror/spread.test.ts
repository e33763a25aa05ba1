import { Partitioners } from 'kafkajs'
import { expect, test } from 'vitest'
import { kafkaFault } from '../../../src/actors/kafka/errors.ts'
import { failuresOf } from '../../../src/actors/mirror/failures.ts'
import type { CopiedBatch } from '../../../src/actors/mirror/intake.ts'
import { failing } from '../../../src/machines/topic-rules.ts'
import { at } from '../../../src/records/batch.ts'
import { writeInt64 } from '../../../src/records/bytes.ts'
import { crc32c } from '../../../src/records/crc32c.ts'
import { decodeRecords, encodeBatch } from '../../../src/records/record.ts'
import { LARGE, newIntake, noPaths, sliceOf } from './slices.ts'

/** Records placed on the target by the hash of their keys. */

function batchOf(offset: number, keys: readonly (string | null)[], bytes: readonly number[] = []): Buffer {
  const records = keys.map((key, index) => ({
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(`${offset + index} `.padEnd(bytes[index] ?? 0, '.')),
    headers: [],
    timestamp: 1
  }))
  const batch = encodeBatch(records, { codec: 0 })
  writeInt64(batch, offset, at.baseOffset)
  batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)
  return batch
}

/** Offsets by partition of the target. */
function offsetsBy(batches: readonly CopiedBatch[]): Record<number, number[]> {
  const found: Record<number, number[]> = {}
  for (const { partition, batch } of batches) {
    const offsets = decodeRecords(batch).map(({ value }) => Number.parseInt(String(value), 10))
    found[partition] = [...(found[partition] ?? []), ...offsets]
  }
  return found
}

const kafkajsPlaces = (partitions: number) => {
  const choose = Partitioners.DefaultPartitioner()
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    ...{ partitionId, leader: 0, partitionErrorCode: 0, replicas: [], isr: [] }
  }))
  return (key: string) => choose({ topic: 't', partitionMetadata, message: { key, value: null } })
}

test('each key goes where Kafka’s producers put it, in its order, and what has no key stays together', () => {
  const keys = Array.from({ length: 60 }, (_, n) => (n % 7 === 0 ? null : `key ${n % 11}`))
  const paths = noPaths()
  const intake = newIntake(0, { partition: 5, hashedOver: 3 }, paths)
  const slice = sliceOf(0, [batchOf(0, keys.slice(0, 20)), batchOf(20, keys.slice(20))], { partition: 5 })
  const [taken] = intake.take([slice])
  const { batches, records } = intake.unload()
  const placeOf = kafkajsPlaces(3)
  const wanted: Record<number, number[]> = {}
  for (const [offset, key] of keys.entries()) {
    const place = key === null ? 5 % 3 : placeOf(key)
    wanted[place] = [...(wanted[place] ?? []), offset]
  }
  expect(offsetsBy(batches)).toEqual(wanted)
  expect([taken?.next, taken?.records, records]).toEqual([60, 60, 60])
  expect(taken?.targets.map(({ partition }) => partition).sort()).toEqual([0, 1, 2])
  expect(batches.length, 'small ones go together').toBe(3)
  expect(paths).toMatchObject({ batchesPassed: 0, batchesMerged: 2 })
  for (const { source } of batches) expect(source).toEqual({ topic: 't', partition: 5 })
})

test('a record that cannot be copied ends the partition although later ones go elsewhere', () => {
  const keys = Array.from({ length: 12 }, (_, n) => `key ${n}`)
  const sizes = keys.map((_, n) => (n === 7 || n === 9 ? LARGE : 100))
  const more = { hashedOver: 4, maxBytes: 5_000 }
  const intake = newIntake(0, more)
  const [taken] = intake.take([sliceOf(0, [batchOf(0, keys, sizes)])])
  expect(taken).toMatchObject({ next: 7, records: 7, stop: { standing: 'rejected' } })
  const copied = Object.values(offsetsBy(intake.unload().batches)).flat()
  expect(copied.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6])
  const skipping = newIntake(0, { ...more, policies: { ...failing, rejected: 'skip' } })
  const [all] = skipping.take([sliceOf(0, [batchOf(0, keys, sizes)])])
  expect(all).toMatchObject({ next: 12, records: 10, skipped: [{ from: 7 }, { from: 9 }] })
})

test('a sick partition of the target concerns all who write to it; a refused batch only its own source', () => {
  const batch = batchOf(0, ['k'])
  const sent = (from: number, to: number): CopiedBatch => ({
    ...{ topic: 't', partition: to, batch, origins: [{ offset: 0, count: 1 }], isDeadLetter: false },
    source: { topic: 't', partition: from }
  })
  const batches = [sent(0, 4), sent(1, 4), sent(2, 5), sent(0, 5), sent(1, 6)]
  const outcome = (code: number, ...places: readonly number[]) =>
    failuresOf(
      batches.map(({ topic, partition }, index) => {
        const isBad = places.includes(index)
        const fault = isBad ? kafkaFault(code, 'x') : undefined
        return { topic, partition, baseOffset: -1, error: isBad ? code : 0, fault }
      }),
      batches
    ).map(({ partition }) => partition)
  expect(outcome(19, 0).sort()).toEqual([0, 1])
  expect(outcome(6, 2, 3).sort()).toEqual([0, 2])
  expect(outcome(87, 0)).toEqual([0])
})
