import avro from 'avsc'
import { countedMs } from '../../records/values.ts'
import { Instant } from './instant.ts'

/** 64-bit integers as bigints: a number would be rounded, at which avsc fails. */
const longType = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(value)
    return buffer
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (left: bigint, right: bigint) => (left === right ? 0 : left < right ? -1 : 1)
})

function instantType(toMs: (count: number) => number) {
  return class extends avro.types.LogicalType {
    protected override _fromValue(count: number): Instant {
      return new Instant(toMs(count), BigInt(count))
    }

    protected override _toValue(instant: unknown): number | undefined {
      return instant instanceof Instant ? Number(instant.count) : undefined
    }
  }
}

const DAY_MS = 86_400_000

const logicalTypes = {
  'timestamp-millis': instantType((count) => count),
  'timestamp-micros': instantType((count) => countedMs(count, 'microseconds')),
  date: instantType((days) => days * DAY_MS)
}

/** How schemas are read: nothing is rounded, and moments are told from counts. */
export const avroOptions: Partial<avro.ForSchemaOptions> = {
  logicalTypes,
  typeHook: (schema) => {
    const { type, logicalType } = typeof schema === 'string' ? { type: schema } : (schema as LongSchema)
    const isInstant = logicalType !== undefined && Object.hasOwn(logicalTypes, logicalType)
    return type === 'long' && !isInstant ? longType : undefined
  }
}

interface LongSchema {
  readonly type?: unknown
  readonly logicalType?: string
}
