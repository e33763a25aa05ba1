import type { Secret } from './secret.ts'

/** What decides the rows of a sink. */
export interface RowsConfig {
  /** Ready-made columns, where `values` does not say others. */
  readonly preset: 'tweet' | 'raw'
  readonly values?: ValuesConfig
  /** Adds `_topic`, `_partition`, `_offset` and `_timestamp` to the rows. */
  readonly lineage: boolean
  /** CEL over a record: see `compileFilter`. Absent: every record. */
  readonly where?: string
  /** Columns that are kept, in this order; absent: all. Lineage is apart. */
  readonly select?: readonly string[]
}

/** How values are read, and which columns are taken from them. */
export type ValuesConfig = { readonly columns: readonly ColumnConfig[] } & (
  | { readonly format: 'json' }
  | { readonly format: 'csv'; readonly delimiter: string; readonly header?: readonly string[] }
  | { readonly format: RegisteredFormat; readonly registry: RegistryConfig }
)

export const valueFormats = ['json', 'csv', 'avro', 'json-schema'] as const
export type RegisteredFormat = 'avro' | 'json-schema'

/** A Confluent-compatible schema registry. */
export interface RegistryConfig {
  /** Without a trailing slash. */
  readonly url: string
  /** Given together. */
  readonly user?: string
  readonly password?: Secret
}

export const columnTypes = ['string', 'int32', 'int64', 'double', 'boolean', 'timestamp', 'json'] as const

export interface ColumnConfig {
  readonly name: string
  /** JSON Pointer; of CSV a slash and the field's name, or its number from 0 where there is no header. */
  readonly pointer: string
  /** `json`: whatever is there, as text. */
  readonly type: (typeof columnTypes)[number]
  readonly nullable: boolean
  /** Absent: any. */
  readonly bytesMax?: number
  readonly tooLong: TextPolicy
  readonly nul: TextPolicy | 'keep'
  readonly onError: 'null' | 'dead_letter'
  readonly timestamp: (typeof timestampForms)[number]
}

export const textPolicies = ['truncate', 'null', 'dead_letter'] as const
type TextPolicy = (typeof textPolicies)[number]

export const timestampForms = ['text', 'seconds', 'milliseconds', 'microseconds'] as const
