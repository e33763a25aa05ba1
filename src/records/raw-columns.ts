import type { RowColumn } from './row.ts'

const rules = { tooLong: 'dead_letter', nul: 'keep', onError: 'dead_letter' } as const

/** What a record is, untouched. No record is refused. */
export const rawColumns: readonly RowColumn[] = [
  { name: 'key', type: 'binary', nullable: true, ...rules },
  { name: 'value', type: 'binary', nullable: true, ...rules },
  /** `[{"key": "trace", "value": "<base64>"}]` in the producer's order; null without headers. */
  { name: 'headers', type: 'string', nullable: true, ...rules },
  { name: 'offset', type: 'int64', nullable: false, ...rules },
  { name: 'timestamp', type: 'timestamp', nullable: true, ...rules }
]
