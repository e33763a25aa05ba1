import { ByteBudget } from '../../../src/actors/budget.ts'
import type { FetchedSlice } from '../../../src/actors/kafka/fetcher.ts'
import { Intake, type Load } from '../../../src/actors/mirror/intake.ts'
import type { Paths } from '../../../src/actors/mirror/run.ts'
import type { Expectation } from '../../../src/machines/shard-protocol.ts'
import { failing } from '../../../src/machines/topic-rules.ts'
import { at, type Codec, readHeader } from '../../../src/records/batch.ts'
import { writeInt64 } from '../../../src/records/bytes.ts'
import { crc32c } from '../../../src/records/crc32c.ts'
import { decodeRecords, encodeBatch } from '../../../src/records/record.ts'

/** What a batch of a source is, as far as passing it on goes. */
export interface Kind {
  readonly records: number
  readonly producer?: number
  readonly control?: boolean
  readonly attributes?: number
  /** Offsets at its end that compaction took away. */
  readonly gap?: number
  /** Of each value. */
  readonly bytes?: number
  readonly codec?: Codec
}

/** Values begin with their offset. */
export function batchAt(
  offset: number,
  { records, producer = -1, control = false, attributes = 0, gap = 0, bytes = 8, codec = 0 }: Kind
): Buffer {
  const record = (index: number) => ({
    key: Buffer.from('k'),
    value: Buffer.from(`${offset + index} `.padEnd(bytes, '.')),
    headers: [],
    timestamp: 1
  })
  const batch = encodeBatch(
    Array.from({ length: records }, (_, index) => record(index)),
    { codec, producerId: producer, transactional: producer >= 0, control }
  )
  writeInt64(batch, offset, at.baseOffset)
  batch.writeInt32BE(5, at.leaderEpoch)
  batch.writeInt16BE(batch.readInt16BE(at.attributes) | attributes, at.attributes)
  batch.writeInt32BE(records - 1 + gap, at.lastOffsetDelta)
  batch.writeUInt32BE(crc32c(batch, at.attributes), at.crc)
  return batch
}

/** More than is worth merging. */
export const LARGE = 20_000

export const offsetsIn = ({ batches }: Load): number[] =>
  batches.flatMap(({ batch }) => decodeRecords(batch).map(({ value }) => Number.parseInt(String(value), 10)))

export const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => from + index)

const budget = new ByteBudget(1 << 26)

export function sliceOf(
  fetchOffset: number,
  batches: readonly Buffer[],
  more: Partial<FetchedSlice> = {}
): FetchedSlice {
  const recordSet = Buffer.concat(batches)
  const last = batches.at(-1)
  return {
    topic: 't',
    partition: 0,
    generation: 1,
    fetchOffset,
    recordSet,
    nextOffset: last === undefined ? fetchOffset : readHeader(last, 0).lastOffset + 1,
    aborted: [],
    highWatermark: 1_000,
    lastStableOffset: 900,
    logStartOffset: 0,
    topicId: undefined,
    leaderEpoch: 5,
    lease: budget.takeNow(recordSet.length),
    ...more
  }
}

const unfiltered = { filter: undefined, isCareful: false }

export function expected(offset: number, more: Partial<Expectation> = {}): Expectation {
  const place = { topic: 't', partition: 0, targetTopic: 't' }
  return { ...place, offset, generation: 1, maxBytes: 100_000, policies: failing, ...unfiltered, ...more }
}

/** An intake of one partition, and what it has counted. */
export function newIntake(offset: number, more: Partial<Expectation> = {}, paths = noPaths()): Intake {
  const intake = new Intake(paths, { topic: 'dead', mirror: 'm', now: () => 77 })
  intake.expect([expected(offset, more)])
  return intake
}

export const noPaths = (): Paths => {
  return { batchesPassed: 0, batchesMerged: 0, batchesDecoded: 0, recordsFiltered: 0 }
}

/** Offsets 0 to 2 in one compressed message of the format before Kafka 0.11; the key of 1 is null. */
export const oldMessage = Buffer.from(
  'AAAAAAAAAAIAAAB3a+8GDwEBAAABi8/lb9D/////AAAAYR+LCAAAAAAAAP9jYIADj4nmXxkYgQzG7vNPM0AiTNkGQNKgLDGnNFXBQKEktaKEGAJqHsgoN/OwT0wwM7Nf/AcChImGpJrIBMQS1/R2XoeZmH8B7EojkLkAeVwvv8oAAAA=',
  'base64'
)
