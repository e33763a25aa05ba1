import { at, type BatchHeader, readHeader, verifyCrc } from '../../records/batch.ts'
import { forEachRecord, type RecordCursor } from '../../records/record.ts'
import { codes, KafkaError, type RecordError } from './errors.ts'
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
 * for timestamps that are, or may be, out of bounds.
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
  if (needsInspection(header, config, now)) inspect(records, config, now)
}

/** Whether some record may break a rule of the topic, by the header alone. */
function needsInspection(header: BatchHeader, config: TopicConfig, now: number): boolean {
  if (config.compacted) return true
  if (config.logAppendTime) return false
  const hasPast = config.timestampBeforeMaxMs <= Number.MAX_SAFE_INTEGER
  return hasPast || header.maxTimestamp - now > config.timestampAfterMaxMs
}

/** Every record that breaks a rule is told; one bad timestamp makes the whole a matter of timestamps. */
function inspect(records: Buffer, config: TopicConfig, now: number): void {
  const keyless: RecordError[] = []
  const untimely: RecordError[] = []
  let index = 0
  visit(records, ({ keyStart, timestamp }) => {
    if (config.compacted && keyStart < 0) {
      keyless.push({ index, message: 'Compacted topic cannot accept message without key' })
    } else if (!isTimely(timestamp, config, now)) {
      const [from, until] = [now - config.timestampBeforeMaxMs, now + config.timestampAfterMaxMs]
      const message = `Timestamp ${timestamp} of message with offset ${index} is out of range. The timestamp should be within [${from}, ${until}]`
      untimely.push({ index, message })
    }
    index++
  })
  const errors = [...keyless, ...untimely].sort((a, b) => a.index - b.index)
  if (errors.length === 0) return
  const what = 'One or more records have been rejected due to'
  if (untimely.length > 0) {
    throw new KafkaError(codes.INVALID_TIMESTAMP, `${what} invalid timestamp`, errors)
  }
  throw new KafkaError(codes.INVALID_RECORD, `${what} ${errors.length} record errors in total`, errors)
}

/** No timestamp (-1) is none that could be out of range. */
function isTimely(timestamp: number, config: TopicConfig, now: number): boolean {
  if (config.logAppendTime || timestamp === -1) return true
  return now - timestamp <= config.timestampBeforeMaxMs && timestamp - now <= config.timestampAfterMaxMs
}

function visit(records: Buffer, look: (record: RecordCursor) => void): void {
  try {
    forEachRecord(records, look)
  } catch (error) {
    throw new KafkaError(codes.CORRUPT_MESSAGE, error instanceof Error ? error.message : String(error))
  }
}

function invalid(why: string): KafkaError {
  return new KafkaError(codes.INVALID_RECORD, why)
}
