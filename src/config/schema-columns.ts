import type * as z from 'zod'
import { toFault } from '../errors.ts'
import type { ColumnSpec } from '../records/columns.ts'
import { fieldOf } from '../records/csv-columns.ts'
import { compileFilter } from '../records/filter.ts'
import { lineageColumns } from '../records/lineage-columns.ts'
import { rawColumns } from '../records/raw-columns.ts'
import { tweetColumns } from '../records/tweet.ts'
import type { Environment } from './environment.ts'
import {
  flag,
  httpUrl,
  type Issues,
  integer,
  list,
  oneOf,
  present,
  refuse,
  secret,
  table,
  text
} from './fields.ts'
import {
  type ColumnConfig,
  columnTypes,
  type RowsConfig,
  textPolicies,
  timestampForms,
  type ValuesConfig,
  valueFormats
} from './row-types.ts'

/** The keys of a sink that decide its rows. */
export function rowsKeys(environment: Environment) {
  return {
    preset: oneOf(['tweet', 'raw'])
      .optional()
      .describe('Ready-made columns: "tweet", the default, or "raw", key and value as they are.'),
    value: oneOf(valueFormats).optional().describe('How values are read for `columns`; "json" by default.'),
    columns: list(column(), 1, 'an array of tables [[….columns]]')
      .optional()
      .describe('Columns one by one, in place of a preset.'),
    csv: table({
      delimiter: text(/^[\t !#-~]$/, 'one ASCII character that is no quote')
        .default(',')
        .describe('What separates fields.'),
      header: list(text(/./, 'the name of a field'), 1, 'an array of names')
        .optional()
        .describe('Names of the fields, all of them; without, columns point to numbers: "/0".')
    })
      .optional()
      .describe('Of value = "csv".'),
    registry: table({
      url: httpUrl('an http(s) URL').describe('Address of the registry.'),
      user: text(/^[^:]+$/, 'a user without ":"')
        .optional()
        .describe('Of basic authentication.'),
      password: secret(environment).optional().describe('Of the user.')
    })
      .optional()
      .describe('Confluent-compatible schema registry; of value = "avro" and "json-schema".'),
    lineage: flag().default(true).describe('Adds columns _topic, _partition, _offset and _timestamp.'),
    where: where()
      .optional()
      .describe('CEL over key, value, headers, timestamp, topic, partition and offset: what is kept.'),
    select: list(text(/./, 'the name of a column'), 1, 'an array of names of columns')
      .optional()
      .describe('Columns that are kept, in this order; all by default.')
  }
}

/** As parquet readers, Hive and SQL take one when it is quoted. */
const NAME = /^(?!\s)[^\p{Cc}]{1,127}(?<!\s)$/u
const POINTER = /^(?:\/(?:[^/~]|~[01])*)*$/

function column() {
  return table({
    name: text(NAME, 'up to 127 characters, none of them a control character, no space at the ends').describe(
      'Of the column.'
    ),
    pointer: text(POINTER, 'a JSON Pointer, such as "/user/name"').describe(
      'Where the value is; of CSV "/" and the field.'
    ),
    type: oneOf(columnTypes).describe('"json" is whatever is there, as text.'),
    nullable: flag().default(true).describe('Without: a record that has no value here is a dead letter.'),
    bytes_max: integer(1, 2_147_483_647)
      .optional()
      .describe('Longest text in bytes of UTF-8; 65535 in S3 sinks, any in others by default.'),
    too_long: oneOf(textPolicies).default('dead_letter').describe('What becomes of longer text.'),
    nul: oneOf(['keep', ...textPolicies])
      .default('keep')
      .describe('What becomes of text with U+0000; "truncate" cuts before it.'),
    on_error: oneOf(['null', 'dead_letter'])
      .default('dead_letter')
      .describe('What becomes of a value of another type or out of range.'),
    timestamp: oneOf(timestampForms)
      .default('text')
      .describe('How a timestamp is written: "text" is ISO 8601 with a zone, others count from 1970.')
  }).superRefine((it, issues) => {
    for (const key of ['too_long', 'nul', 'on_error'] as const) {
      if (it[key] === 'null' && !it.nullable) {
        say(issues, [key], '"dead_letter" or another that leaves a value, as the column is not nullable')
      }
    }
    if (it.type === 'json' && it.too_long === 'truncate') {
      say(issues, ['too_long'], '"null" or "dead_letter": JSON that is cut is no JSON')
    }
  })
}

function where() {
  return text(/\S/, 'a CEL expression').superRefine((expression, issues) => {
    try {
      compileFilter(expression)
    } catch (error) {
      refuse(issues, `an expression that can be compiled (${toFault(error).message})`)
    }
  })
}

type Keys = z.output<z.ZodObject<ReturnType<typeof rowsKeys>>>

/** @param bytesMax of text columns that do not say theirs; absent: any */
export function rowsConfig(it: Keys, bytesMax?: number): RowsConfig {
  const values = it.columns === undefined ? undefined : valuesOf(it, it.columns, bytesMax)
  const { where, select } = it
  return { preset: it.preset ?? 'tweet', lineage: it.lineage, ...present({ values, where, select }) }
}

function valuesOf(
  it: Keys,
  columns: NonNullable<Keys['columns']>,
  bytesMax: number | undefined
): ValuesConfig {
  const all = columns.map((column) => columnOf(column, bytesMax))
  const format = it.value ?? 'json'
  if (format === 'json') return { format, columns: all }
  if (format === 'csv') {
    const { delimiter = ',', header } = it.csv ?? {}
    return { format, columns: all, delimiter, ...present({ header }) }
  }
  const { url = '', user, password } = it.registry ?? {}
  return { format, columns: all, registry: { url, ...present({ user, password }) } }
}

function columnOf(it: NonNullable<Keys['columns']>[number], bytesMax: number | undefined): ColumnConfig {
  const isText = it.type === 'string' || it.type === 'json'
  return {
    name: it.name,
    pointer: it.pointer,
    type: it.type,
    nullable: it.nullable,
    ...present({ bytesMax: isText ? (it.bytes_max ?? bytesMax) : undefined }),
    tooLong: it.too_long,
    nul: it.nul,
    onError: it.on_error,
    timestamp: it.timestamp
  }
}

/** The columns of the files that the keys give, in no certain order. */
export function columnsOfFiles({ columns, preset = 'tweet', select, lineage }: Keys): readonly FileColumn[] {
  const all: readonly FileColumn[] =
    columns?.map(({ name, type }) => ({ name, type: type === 'json' ? 'string' : type })) ?? presets[preset]
  const kept = all.filter(({ name }) => select === undefined || select.includes(name))
  return lineage ? [...kept, ...lineageColumns] : kept
}

type FileColumn = Pick<ColumnSpec, 'name' | 'type'>

/** What the keys say about one another. */
export function checkRows(it: Keys, issues: Issues): void {
  checkSelect(it, issues)
  const format = it.value ?? 'json'
  const registered = format === 'avro' || format === 'json-schema'
  if (it.columns === undefined) {
    for (const key of ['value', 'csv', 'registry'] as const) {
      if (it[key] !== undefined) say(issues, [key], 'nothing here without `columns`')
    }
  } else if (it.preset !== undefined) say(issues, ['preset'], 'nothing here beside `columns`')
  else {
    if (it.csv !== undefined && format !== 'csv') say(issues, ['csv'], 'nothing here unless value = "csv"')
    if (registered !== (it.registry !== undefined)) {
      say(issues, ['registry'], registered ? `a table, as value = "${format}"` : 'nothing here')
    }
    if (it.registry && (it.registry.user === undefined) !== (it.registry.password === undefined)) {
      say(issues, ['registry'], 'user and password together, or neither')
    }
    if (format === 'csv') checkFields(it, issues)
    if (format !== 'json' && VALUE.test(it.where ?? '')) {
      say(
        issues,
        ['where'],
        `an expression without value, which is JSON alone and not of value = "${format}"`
      )
    }
    checkNames(it, issues)
  }
}

/** Hive's names and those of SQL without quotes know no case. */
function checkNames({ columns = [], lineage }: Keys, issues: Issues): void {
  const taken = new Set(lineage ? lineageColumns.map(({ name }) => name) : [])
  for (const [index, { name }] of columns.entries()) {
    const plain = name.toLowerCase()
    if (taken.has(plain))
      say(issues, ['columns', index, 'name'], 'a name that no other column has, in any case')
    taken.add(plain)
  }
}

/** `value` as a variable, not as a member of something. */
const VALUE = /(?<![\w.])value\b/

function checkSelect({ select = [], columns, preset = 'tweet' }: Keys, issues: Issues): void {
  const known: readonly { readonly name: string }[] = columns ?? presets[preset]
  for (const [index, name] of select.entries()) {
    const isFirst = select.indexOf(name) === index
    if (isFirst && known.some((column) => column.name === name)) continue
    const names = known.map((column) => column.name).join(', ')
    say(issues, ['select', index], isFirst ? `a column: ${names}` : 'each column once')
  }
}

const presets = { tweet: tweetColumns, raw: rawColumns } as const

function checkFields({ columns = [], csv }: Keys, issues: Issues): void {
  for (const [index, { pointer }] of columns.entries()) {
    const field = fieldOf(pointer, csv?.header)
    if (field >= 0) continue
    const allowed = csv?.header
      ? '"/" and a name of csv.header'
      : '"/" and the number of a field from 0, up to 4095'
    say(issues, ['columns', index, 'pointer'], allowed)
  }
}

function say(issues: Issues, path: readonly (string | number)[], message: string): void {
  issues.addIssue({ code: 'custom', message, path: [...path] })
}
