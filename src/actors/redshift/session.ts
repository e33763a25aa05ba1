import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { Fault } from '../../errors.ts'
import { type Dialect, POSITIONS_TABLE } from './dialect.ts'
import { warehouseFault } from './faults.ts'

export interface SessionOptions {
  /** `postgres://user:password@host:port/database`; never printed. */
  readonly url: string
  /** What faults call the warehouse: its name in the config. */
  readonly name: string
  readonly dialect: Dialect
  /** Columns that the target table must have, whether we create it or find it. */
  readonly requiredColumns: readonly string[]
  readonly timeouts?: Partial<SessionTimeouts>
}

export interface SessionTimeouts {
  readonly connectMs: number
  /** One statement; the server cancels it. The client gives up COPY and COMMIT `graceMs` later, should the server be silent. */
  readonly statementMs: number
  readonly graceMs: number
  /** All other statements touch a row or two: a server that is silent for so long is half open. */
  readonly briefMs: number
  /** A transaction in which nothing happens; the server ends the session, and with it the lock of a lost client. */
  readonly idleTransactionMs: number
}

const TIMEOUTS: SessionTimeouts = {
  connectMs: 10_000,
  statementMs: 120_000,
  graceMs: 10_000,
  briefMs: 15_000,
  idleTransactionMs: 120_000
}

function timeoutsOf({ timeouts }: SessionOptions): SessionTimeouts {
  return { ...TIMEOUTS, ...timeouts }
}

/** A file on its way into the table: rows in the text format of COPY, in order. */
export interface CopySource {
  readonly columns: readonly string[]
  readonly chunks: AsyncIterable<Buffer>
}

export interface ChainStart {
  readonly chain: string
  /** The first offset that the chain covers. */
  readonly start: number
}

/** A range of a chain to be loaded in one transaction. */
export interface LoadRange {
  readonly chain: string
  readonly from: number
  readonly to: number
}

/** `moved`: the row says another offset than expected. `busy`: another session holds the row. Neither changed anything. */
export type LoadOutcome =
  | { readonly outcome: 'loaded'; readonly rows: number }
  | { readonly outcome: 'moved'; readonly position: number }
  | { readonly outcome: 'busy' }

/**
 * One connection to the warehouse. Rows and the position they lead to are written in one transaction, so whatever
 * happens, the position says exactly which rows are there: after any fault but `rows-refused` and those of the caller's
 * sources, close the session and read the positions in a new one.
 */
export class WarehouseSession {
  readonly #client: pg.Client
  readonly #socket: Socket
  readonly #options: SessionOptions
  readonly #release: () => void

  private constructor(client: pg.Client, socket: Socket, options: SessionOptions, signal: AbortSignal) {
    this.#client = client
    this.#socket = socket
    this.#options = options
    const onAbort = () => this.destroy()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#release = () => signal.removeEventListener('abort', onAbort)
  }

  /** Connects, and creates the tables that are missing. The session ends when `signal` aborts. Rejects with a `Fault`. */
  static async open(options: SessionOptions, signal: AbortSignal): Promise<WarehouseSession> {
    signal.throwIfAborted()
    if (!URL.canParse(options.url)) {
      throw new Fault('config-invalid', `the url of warehouse ${options.name} is not a URL`)
    }
    const { connectMs, statementMs, graceMs, briefMs, idleTransactionMs } = timeoutsOf(options)
    const socket = new Socket()
    const client = new pg.Client({
      connectionString: options.url,
      stream: () => socket,
      keepAlive: true,
      connectionTimeoutMillis: connectMs,
      statement_timeout: statementMs,
      query_timeout: Math.min(briefMs, statementMs + graceMs),
      idle_in_transaction_session_timeout: idleTransactionMs,
      application_name: 'causeway'
    })
    client.on('error', () => {}) // The next statement fails with the same error.
    const session = new WarehouseSession(client, socket, options, signal)
    try {
      await session.#attempt('connect', () => client.connect())
      await session.#ensureTables()
      return session
    } catch (error) {
      session.destroy()
      throw error
    }
  }

  /** The durable next offset of each chain; a chain that has no row gets one with its start. */
  async positions(chains: readonly ChainStart[]): Promise<ReadonlyMap<string, number>> {
    const { dialect } = this.#options
    return this.#attempt('read positions', async () => {
      const names = chains.map(({ chain }) => chain)
      let found = await this.#readPositions(names)
      for (const { chain, start } of chains) {
        if (!found.has(chain)) await this.#client.query(dialect.addPosition, [chain, start])
      }
      if (found.size < chains.length) found = await this.#readPositions(names)
      return found
    })
  }

  /**
   * Copies the sources and moves the position from `from` to `to` in one transaction. When it rejects with a fault that
   * blames rows or source, nothing was written and the session goes on; after any other fault the outcome may be unknown.
   */
  async load({ chain, from, to }: LoadRange, sources: AsyncIterable<CopySource>): Promise<LoadOutcome> {
    await this.#attempt('begin', () => this.#client.query('BEGIN'))
    const position = await this.#lock(chain)
    if (position === 'busy' || position !== from) {
      await this.#rollback()
      return position === 'busy' ? { outcome: 'busy' } : { outcome: 'moved', position }
    }
    let rows = 0
    try {
      for await (const source of sources) rows += await this.#copy(source)
    } catch (error) {
      const fault = warehouseFault(error, `warehouse ${this.#options.name}: load`)
      // A session that is gone fails here again and tells so: its transaction is rolled back by the server.
      await this.#rollback()
      throw fault
    }
    const { dialect } = this.#options
    await this.#attempt('move position', () => this.#client.query(dialect.movePosition, [chain, to]))
    const committed = await this.#attempt('commit', () => this.#client.query(this.#long({ text: 'COMMIT' })))
    // A transaction that had failed answers COMMIT with ROLLBACK, and without an error.
    if (committed.command !== 'COMMIT')
      throw this.#fault('warehouse-failed', 'COMMIT was answered by ROLLBACK')
    return { outcome: 'loaded', rows }
  }

  /** Ends the session at once: the socket is gone, and the server rolls an open transaction back. */
  destroy(): void {
    this.#release()
    this.#socket.destroy()
    this.#client.end().catch(() => {})
  }

  async #ensureTables(): Promise<void> {
    const { dialect, requiredColumns, name } = this.#options
    await this.#attempt('create tables', async () => {
      await this.#client.query('BEGIN')
      await this.#client.query(dialect.lockForDdl)
      // Without the right to create, an existing table is enough.
      if (!(await this.#exists(POSITIONS_TABLE))) await this.#client.query(dialect.createPositions)
      if (!(await this.#exists(dialect.tableName))) {
        await this.#client.query(dialect.createTable)
        await this.#client.query(dialect.forgetPositions)
      }
      const present = await this.#client.query<{ name: string }>(dialect.columnsOfTable)
      const names = new Set(present.rows.map((row) => row.name))
      const missing = requiredColumns.filter((column) => !names.has(column))
      if (missing.length > 0) {
        const what = `warehouse ${name}: table ${dialect.table} has no column ${missing.join(', ')}`
        throw new Fault('warehouse-mismatch', what)
      }
      await this.#client.query('COMMIT')
    })
  }

  async #exists(table: string): Promise<boolean> {
    const { rows } = await this.#client.query<{ found: boolean }>(this.#options.dialect.exists, [table])
    return rows[0]?.found === true
  }

  async #readPositions(chains: readonly string[]): Promise<Map<string, number>> {
    const { rows } = await this.#client.query<{ chain: string; next_offset: string }>(
      this.#options.dialect.readPositions,
      [chains]
    )
    return new Map(rows.map((row) => [row.chain, this.#offset(row.chain, row.next_offset)]))
  }

  async #lock(chain: string): Promise<number | 'busy'> {
    try {
      return await this.#attempt('lock position', async () => {
        const { rows } = await this.#client.query<{ next_offset: string }>(
          this.#options.dialect.lockPosition,
          [chain]
        )
        const row = rows[0]
        // The row was there when positions were read. Starting over would load everything twice.
        if (row === undefined)
          throw this.#fault('warehouse-position-missing', `${POSITIONS_TABLE} lost the row of ${chain}`)
        return this.#offset(chain, row.next_offset)
      })
    } catch (error) {
      if (error instanceof Fault && error.code === 'warehouse-busy') return 'busy'
      throw error
    }
  }

  async #copy({ columns, chunks }: CopySource): Promise<number> {
    // One chunk in flight: backpressure reaches the decoder, and nothing is queued in a stream that has failed.
    const stream = copyFrom(this.#options.dialect.copyInto(columns), { highWaterMark: 1 })
    await pipeline(Readable.from(chunks), this.#client.query(this.#long(stream)))
    return stream.rowCount
  }

  /** A query that may take as long as the server lets a statement take; `pg` reads the property of any query. */
  #long<Query extends object>(query: Query): Query {
    const { statementMs, graceMs } = timeoutsOf(this.#options)
    return Object.assign(query, { query_timeout: statementMs + graceMs })
  }

  async #rollback(): Promise<void> {
    await this.#attempt('roll back', () => this.#client.query('ROLLBACK'))
  }

  #offset(chain: string, digits: string): number {
    const offset = Number(digits)
    if (Number.isSafeInteger(offset) && offset >= 0) return offset
    throw this.#fault('warehouse-mismatch', `${POSITIONS_TABLE} says ${digits} for ${chain}`)
  }

  #fault(code: string, what: string): Fault {
    return new Fault(code, `warehouse ${this.#options.name}: ${what}`)
  }

  async #attempt<T>(what: string, statement: () => Promise<T>): Promise<T> {
    try {
      return await statement()
    } catch (error) {
      throw warehouseFault(error, `warehouse ${this.#options.name}: ${what}`)
    }
  }
}
