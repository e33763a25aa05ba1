import pg from 'pg'
import { Fault } from '../../errors.ts'
import type { ColumnSpec, ColumnType } from '../../records/columns.ts'

/** The statements of one loader: what differs between warehouses, and nothing else. */
export interface Dialect {
  /** The target table, quoted and qualified. */
  readonly table: string
  /** Its bare name. */
  readonly tableName: string
  /** Whether a relation exists: `$1` is its name in `schema`. One row, column `found`. */
  readonly exists: string
  readonly createTable: string
  /** Names of the target table's columns, in column `name`. */
  readonly columnsOfTable: string
  readonly createPositions: string
  /** For a target table that was not there: none of its rows is, whatever the positions say. */
  readonly forgetPositions: string
  /** Held until the transaction ends, so that two loaders that start together do not create one table twice. */
  readonly lockForDdl: string
  /** Adds the row of a chain with its start unless it is there: `$1` chain, `$2` next offset. */
  readonly addPosition: string
  /** Next offsets of the chains in the array `$1`: columns `chain`, `next_offset`. */
  readonly readPositions: string
  /** Locks the row of chain `$1`, without waiting for another loader that holds it. */
  readonly lockPosition: string
  /** `$1` chain, `$2` next offset. */
  readonly movePosition: string
  /** Takes rows in PostgreSQL's text format (`copy-text.ts`). */
  readonly copyInto: (columns: readonly string[]) => string
}

/** One row per table and chain: two loaders that fill two tables from one sink do not take each other's rows. */
export const POSITIONS_TABLE = 'causeway_positions'

const TYPES: Readonly<Record<ColumnType, string>> = {
  int64: 'BIGINT',
  int32: 'INTEGER',
  double: 'DOUBLE PRECISION',
  string: 'TEXT',
  binary: 'BYTEA',
  boolean: 'BOOLEAN',
  timestamp: 'TIMESTAMPTZ'
}

/** PostgreSQL cuts a longer identifier silently, and two names could become one. */
const IDENTIFIER_BYTES_MAX = 63

export function postgresDialect(schema: string, table: string, columns: readonly ColumnSpec[]): Dialect {
  const target = `${quote(schema)}.${quote(table)}`
  const positions = `${quote(schema)}.${quote(POSITIONS_TABLE)}`
  const mine = `target = ${pg.escapeLiteral(table)}`
  const definitions = columns.map(
    ({ name, type, nullable }) => `${quote(name)} ${TYPES[type]}${nullable ? '' : ' NOT NULL'}`
  )
  return {
    table: target,
    tableName: table,
    exists: `SELECT to_regclass(${pg.escapeLiteral(`${quote(schema)}.`)} || quote_ident($1)) IS NOT NULL AS found`,
    createTable: `CREATE TABLE IF NOT EXISTS ${target} (${definitions.join(', ')})`,
    columnsOfTable: `SELECT attname AS name FROM pg_attribute
      WHERE attrelid = ${pg.escapeLiteral(target)}::regclass AND attnum > 0 AND NOT attisdropped`,
    createPositions: `CREATE TABLE IF NOT EXISTS ${positions} (
      target TEXT, chain TEXT, next_offset BIGINT NOT NULL, updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
      PRIMARY KEY (target, chain))`,
    forgetPositions: `DELETE FROM ${positions} WHERE ${mine}`,
    lockForDdl: `SELECT pg_advisory_xact_lock(hashtext(${pg.escapeLiteral(positions)}))`,
    addPosition: `INSERT INTO ${positions} (target, chain, next_offset) VALUES (${pg.escapeLiteral(table)}, $1, $2)
      ON CONFLICT (target, chain) DO NOTHING`,
    readPositions: `SELECT chain, next_offset FROM ${positions} WHERE ${mine} AND chain = ANY($1)`,
    lockPosition: `SELECT next_offset FROM ${positions} WHERE ${mine} AND chain = $1 FOR UPDATE NOWAIT`,
    movePosition: `UPDATE ${positions} SET next_offset = $2, updated_at = now()
      WHERE ${mine} AND chain = $1`,
    copyInto: (names) => `COPY ${target} (${names.map(quote).join(', ')}) FROM STDIN`
  }
}

function quote(name: string): string {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > IDENTIFIER_BYTES_MAX) {
    const what = `${JSON.stringify(name)} cannot name a table or column: 1 to ${IDENTIFIER_BYTES_MAX} bytes, no U+0000`
    throw new Fault('config-invalid', what)
  }
  return pg.escapeIdentifier(name)
}
