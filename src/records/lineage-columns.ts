import type { ColumnSpec } from './columns.ts'

/** Where a row came from, after its own columns. */
export const lineageColumns: readonly ColumnSpec[] = [
  { name: '_topic', type: 'string', nullable: false },
  { name: '_partition', type: 'int32', nullable: false },
  { name: '_offset', type: 'int64', nullable: false },
  /** The record's Kafka timestamp; null when it has none. */
  { name: '_timestamp', type: 'timestamp', nullable: true }
]
