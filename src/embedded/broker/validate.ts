import { at, type BatchHeader, readHeader, verifyCrc } from '../../records/batch.ts'
import { forEachRecord } from '../../records/record.ts'
import { codes, KafkaError } from './errors.ts'
import type { TopicConfig } from './topic-config.ts'

const ZSTD = 4
/** The first version of Produce in which zstd is allowed (KIP-110). */
const ZSTD_VERSION = 7

/** The header of the one batch of format v2 that a client sends for a partition (`ProduceRequest.validateRecords`). */
export function readOnlyBatch(records: Buffer, version: number): BatchHeader {
  if (records.length < at.records) throw invalid('there is no whole record batch')
  if (records.readInt8(at.magic) !== 2)
    throw invalid(`the batch has format ${records.readInt8(at.magic)}, not 2`)
  const length = records.readInt32BE(at.length) + at.leaderEpoch
  if (length > records.length) throw new KafkaError(codes.CORRUPT_MESSAGE, 'the record batch is cut')
  if (length < records.length) throw invalid('there is more than one record batch')
  const header = readHeader(records, 0)
  if (header.codec === ZSTD && version < ZSTD_VERSION) {
    throw new KafkaError(codes.UNSUPPORTED_COMPRESSION_TYPE, 'zstd needs Produce version 7')
  }
  return header
}

/**
 * Kafka's own checks of a client's batch before it is appended (`UnifiedLog`, `LogValidator`), in its order and with its
 * codes.
 *
 * Unlike Kafka, records are looked at one by one only where a rule needs them: for null keys in a compacted topic and
 * for a bound on old timestamps.
 */
export function validate(records: Buffer, header: BatchHeader, config: TopicConfig, now: number): void {
  if (header.baseOffset !== 0) throw invalid(`the base offset is ${header.baseOffset}, not 0`)
  if (header.length > config.maxMessageBytes) {
    throw new KafkaError(
      codes.MESSAGE_TOO_LARGE,
      `the batch has ${header.length} bytes, over max.message.bytes ${config.maxMessageBytes}`
    )
  }
  if (!verifyCrc(records)) throw new KafkaError(codes.CORRUPT_MESSAGE, 'the CRC of the batch does not match')
  if (header.lastOffsetDelta < 0) throw invalid('the batch has an invalid offset range')
  if (header.count <= 0 || header.lastOffsetDelta + 1 !== header.count) {
    throw invalid(`the batch has ${header.count} records for ${header.lastOffsetDelta + 1} offsets`)
  }
  if (header.control) throw invalid('clients are not allowed to write control records')
  if (header.producerId >= 0 && header.baseSequence < 0) throw invalid('a producer id without a sequence')
  if (!config.logAppendTime) checkTimestamps(header, records, config, now)
  if (config.compacted) checkKeys(records)
}

function checkTimestamps(header: BatchHeader, records: Buffer, config: TopicConfig, now: number): void {
  const tooLate = header.maxTimestamp - now > config.timestampAfterMaxMs
  if (tooLate || now - oldest(header, records, config) > config.timestampBeforeMaxMs) {
    throw new KafkaError(codes.INVALID_TIMESTAMP, 'a timestamp is out of the range the topic allows')
  }
}

/** The oldest timestamp of the records if the topic sets a bound for it, else that of the first. */
function oldest(header: BatchHeader, records: Buffer, config: TopicConfig): number {
  let timestamp = header.baseTimestamp < 0 ? Infinity : header.baseTimestamp
  if (config.timestampBeforeMaxMs > Number.MAX_SAFE_INTEGER) return timestamp
  inspect(records, (record) => {
    timestamp = Math.min(timestamp, record)
  })
  return timestamp
}

function checkKeys(records: Buffer): void {
  inspect(records, (_, hasKey) => {
    if (!hasKey) throw invalid('compacted topic cannot accept message without key')
  })
}

function inspect(records: Buffer, visit: (timestamp: number, hasKey: boolean) => void): void {
  try {
    forEachRecord(records, (record) => visit(record.timestamp, record.keyStart >= 0))
  } catch (error) {
    if (error instanceof KafkaError) throw error
    throw new KafkaError(codes.CORRUPT_MESSAGE, error instanceof Error ? error.message : String(error))
  }
}

function invalid(why: string): KafkaError {
  return new KafkaError(codes.INVALID_RECORD, why)
}
