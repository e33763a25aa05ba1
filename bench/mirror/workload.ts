export type Codec = 'none' | 'lz4' | 'zstd'
export type WorkloadName = 'uncompressed' | 'lz4' | 'zstd' | 'one-record batches'

/** A source topic: tweets of 640 bytes, always the same ones (python/tweets.py). */
export interface Workload {
  readonly name: WorkloadName
  /** Of the source, and of whatever writes the target anew. */
  readonly codec: Codec
  readonly records: number
  /** What its producer gathers per batch, before compression; 0 for batches of one record. */
  readonly batchBytes: number
}

export const TOPIC = 'tweets'
export const PARTITIONS = 4
/** Records that are there from the beginning: they tell when a mirror has started, and let it settle. */
export const FIRST_RECORDS = 100
export const LATENCY_RATE = 5_000

const BATCH_BYTES = 128 * 1_024

/** @param scale 1, or less for a quick run */
export function workloads(scale: number): readonly Workload[] {
  const tweets = (name: WorkloadName, codec: Codec): Workload => {
    return { name, codec, records: 1_000_000 * scale, batchBytes: BATCH_BYTES }
  }
  return [
    tweets('uncompressed', 'none'),
    tweets('lz4', 'lz4'),
    tweets('zstd', 'zstd'),
    { name: 'one-record batches', codec: 'none', records: 200_000 * scale, batchBytes: 0 }
  ]
}

/** How long the latency is measured, in seconds; the warm-up before it is for those that compile while they run. */
export function latencySeconds(scale: number): { readonly warm: number; readonly counted: number } {
  return scale === 1 ? { warm: 15, counted: 30 } : { warm: 5, counted: 5 }
}
