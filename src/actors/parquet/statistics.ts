import thrift, { type Statistics } from 'parquetjs-lite/gen-nodejs/parquet_types.js'
import type { Bounds } from './chunk.ts'

/** What parquetjs-lite's thrift structures write themselves to. */
interface ThriftOutput {
  writeStructBegin(name: string): void
  writeStructEnd(): void
  writeFieldBegin(name: string, type: number, id: number): void
  writeFieldEnd(): void
  writeFieldStop(): void
  writeBool(value: boolean): void
  writeI64(value: number): void
  writeString(value: Buffer): void
}

/** Type numbers of thrift. */
const [BOOL, I64, BINARY] = [2, 10, 11] as const

/**
 * Statistics of a column chunk. Beyond what parquetjs-lite's structure has, they say whether the bounds are values of the
 * column (fields 7 and 8 of parquet.thrift): who takes a cut bound for the greatest value answers `max()` wrongly.
 */
export function chunkStatistics(nulls: number, bounds: Bounds | undefined): Statistics {
  const statistics = new thrift.Statistics({ null_count: nulls })
  if (bounds === undefined) return statistics
  const { min, max, isMinExact, isMaxExact } = bounds
  const write = (output: ThriftOutput) => {
    const field = (name: string, type: number, id: number, value: () => void) => {
      output.writeFieldBegin(name, type, id)
      value()
      output.writeFieldEnd()
    }
    output.writeStructBegin('Statistics')
    field('null_count', I64, 3, () => output.writeI64(nulls))
    field('max_value', BINARY, 5, () => output.writeString(max))
    field('min_value', BINARY, 6, () => output.writeString(min))
    field('is_max_value_exact', BOOL, 7, () => output.writeBool(isMaxExact))
    field('is_min_value_exact', BOOL, 8, () => output.writeBool(isMinExact))
    output.writeFieldStop()
    output.writeStructEnd()
  }
  return Object.assign(statistics, { min_value: min, max_value: max, write })
}
