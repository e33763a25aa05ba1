import { expect, vi } from 'vitest'
import { type BatchHeader, batchesOf, readHeader } from '../../../src/records/batch.ts'
import {
  type BatchOptions,
  type DecodedRecord,
  decodeRecords,
  encodeBatch
} from '../../../src/records/record.ts'
import { newPartition } from './bench.ts'
import type { RawClient, RawRequest } from './raw-client.ts'
import { type At, batch, fetch, listOffset, type Produced, produce } from './requests.ts'

/** Cleaners and retention come round every 200 ms in the brokers under test. */
const SOON = { timeout: 15_000, interval: 50 }

/** A batch that was fetched, with its records. */
export interface KeptBatch extends BatchHeader {
  readonly records: readonly DecodedRecord[]
}

/** Partition 0 of a new topic that keeps everything and begins a segment with every batch of another time. */
export function newLog(client: RawClient, config: Readonly<Record<string, string>> = {}): Promise<At> {
  return newPartition(client, { 'retention.ms': '-1', 'segment.ms': '1', ...config })
}

/** IncrementalAlterConfigs of a topic. */
export async function configure(
  client: RawClient,
  { topic }: At,
  config: Readonly<Record<string, string>>
): Promise<void> {
  const request: RawRequest<number> = {
    key: 44,
    version: 0,
    encode: (writer) => {
      writer.structs([topic], (_, name) => {
        writer
          .int8(2)
          .string(name)
          .structs(Object.entries(config), (_, [key, value]) => {
            writer.string(key).int8(0).string(value)
          })
      })
      writer.boolean(false)
    },
    decode: (reader) => {
      reader.int32()
      return (
        reader.structs(() => {
          const error = reader.int16()
          reader.nullableString()
          reader.int8()
          reader.string()
          return error
        })[0] ?? -1
      )
    }
  }
  expect(await client.call(request)).toBe(0)
}

/** A batch of `key=value key=value …`, all of one time; `key=null` deletes the key. */
export function keyed(records: string, timestamp: number, options: Partial<BatchOptions> = {}): Buffer {
  const all = records.split(' ').map((record) => {
    const [key = '', value = ''] = record.split('=')
    const headers = [{ key: 'h', value: Buffer.from([0, 255]) }]
    return { key: Buffer.from(key), value: value === 'null' ? null : Buffer.from(value), headers, timestamp }
  })
  return encodeBatch(all, { codec: 0, ...options })
}

/** Appends a batch, which must be accepted. */
export async function append(
  client: RawClient,
  at0: At,
  records: Buffer,
  transactionalId: string | null = null
): Promise<Produced> {
  const produced = await client.call(produce(at0, records, transactionalId))
  expect(produced.error).toBe(0)
  return produced
}

/** Begins another segment, which closes the one before it. */
export function roll(client: RawClient, at0: At, key: string, timestamp = Date.now()): Promise<Produced> {
  return append(client, at0, keyed(`${key}=last`, timestamp))
}

/** Appends batches of two records with these timestamps, each in a segment of its own. */
export async function appendAt(client: RawClient, at0: At, timestamps: readonly number[]): Promise<void> {
  for (const timestamp of timestamps) await append(client, at0, batch(2, undefined, timestamp))
}

export function logStart(client: RawClient, at0: At): Promise<number> {
  return client.call(listOffset(at0, -2)).then(({ offset }) => offset)
}

/** Everything from the log's start to its end. */
export async function everything(client: RawClient, at0: At): Promise<KeptBatch[]> {
  const kept: KeptBatch[] = []
  let offset = await logStart(client, at0)
  for (;;) {
    const { error, records, highWatermark } = await client.call(fetch(at0, { offset }))
    if (error !== 0) throw new Error(`the fetch answered ${error}`)
    for (const one of batchesOf(records)) {
      const header = readHeader(one, 0)
      if (header.baseOffset + header.lastOffsetDelta < offset) throw new Error('a batch came twice')
      kept.push({ ...header, records: decodeRecords(one) })
      offset = header.lastOffset + 1
    }
    if (offset >= highWatermark || records.length === 0) return kept
  }
}

/** What is in the log, a line for each batch: `first-last: key=value@offset …`, and `marker`s. */
export async function contents(client: RawClient, at0: At): Promise<string[]> {
  return (await everything(client, at0)).map(({ baseOffset, lastOffset, control, records }) => {
    const shown = records.map(({ key, value, offset }) => `${key}=${value ?? 'null'}@${offset}`)
    const inside = control && records.length > 0 ? ['marker'] : shown
    return `${baseOffset}-${lastOffset}: ${inside.join(' ')}`.trim()
  })
}

/** Waits until the log has this in it. */
export async function becomes(client: RawClient, at0: At, wanted: readonly string[]): Promise<void> {
  await vi.waitFor(async () => expect(await contents(client, at0)).toEqual(wanted), SOON)
}

/** Waits until the log starts here. */
export async function startsAt(client: RawClient, at0: At, wanted: number): Promise<void> {
  await vi.waitFor(async () => expect(await logStart(client, at0)).toBe(wanted), SOON)
}
