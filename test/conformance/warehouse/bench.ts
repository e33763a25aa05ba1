import pg from 'pg'
import { CopyTextEncoder } from '../../../src/actors/redshift/copy-text.ts'
import { postgresDialect } from '../../../src/actors/redshift/dialect.ts'
import {
  type CopySource,
  type SessionTimeouts,
  WarehouseSession
} from '../../../src/actors/redshift/session.ts'
import type { ColumnSpec } from '../../../src/records/columns.ts'
import { TcpProxy } from '../../actors/redshift/tcp-proxy.ts'

/** A server that the suite runs against, with an empty database. */
export interface Subject {
  /** `postgres://user:PASSWORD@host:port/database` of a superuser; the same after `restart`. */
  readonly url: string
  readonly port: number
  /** Kills the server and starts it again. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export const PASSWORD = 'a-secret-of-the-test'

export const columns: readonly ColumnSpec[] = [
  { name: 'id', type: 'int64', nullable: false },
  { name: 'text', type: 'string', nullable: true },
  { name: 'at "x"', type: 'timestamp', nullable: true }
]

export const chain = 'demo.crucial/hybrid/id-g1/0'

/** Ids as the table gives them. */
export const ids = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => String(from + index))

/** One file with the rows `id` from `from` to `to`; the hook runs when all of them are on their way. */
export async function* rows(
  from: number,
  to: number,
  hook?: () => Promise<void>
): AsyncGenerator<CopySource> {
  async function* chunks() {
    const encoder = new CopyTextEncoder()
    for (let id = from; id < to; id++) {
      encoder.plain(String(id))
      encoder.text(Buffer.from(`tweet ${id}`))
      encoder.null()
      encoder.endRow()
      yield encoder.take()
    }
    await hook?.()
  }
  yield { columns: columns.map(({ name }) => name), chunks: chunks() }
}

/** The loader's sessions, through a proxy, and a session of our own beside it. */
export class Bench {
  readonly #start: () => Promise<Subject>
  #subject: Subject | undefined
  #proxy: TcpProxy | undefined
  #admin: pg.Client | undefined
  #tables = 0
  /** The table that sessions load. */
  table = ''

  constructor(start: () => Promise<Subject>) {
    this.#start = start
  }

  get subject(): Subject {
    return there(this.#subject)
  }

  get proxy(): TcpProxy {
    return there(this.#proxy)
  }

  get admin(): pg.Client {
    return there(this.#admin)
  }

  async start(): Promise<void> {
    this.#subject = await this.#start()
    this.#proxy = await TcpProxy.start(this.#subject.port)
    await this.#connect()
  }

  /** A table name and positions that nobody has used. */
  async reset(): Promise<void> {
    this.proxy.reset()
    this.table = `tweets "${++this.#tables}"`
    await this.admin.query('DROP TABLE IF EXISTS causeway_positions')
  }

  async stop(): Promise<void> {
    await this.#admin?.end()
    await this.#proxy?.stop()
    await this.#subject?.stop()
  }

  /** Kills the server and starts it again. */
  async restart(): Promise<void> {
    await this.subject.restart()
    await this.#connect()
  }

  open(
    timeouts: Partial<SessionTimeouts> = {},
    url = this.proxy.urlFor(this.subject.url),
    signal = new AbortController().signal
  ): Promise<WarehouseSession> {
    const dialect = postgresDialect('public', this.table, columns)
    const requiredColumns = columns.map(({ name }) => name)
    return WarehouseSession.open({ url, name: 'main', dialect, requiredColumns, timeouts }, signal)
  }

  async idsInTable(): Promise<string[]> {
    const { rows } = await this.admin.query<{ id: string }>(
      `SELECT id FROM ${pg.escapeIdentifier(this.table)} ORDER BY id`
    )
    return rows.map(({ id }) => id)
  }

  async positionIn(session: WarehouseSession, of = chain): Promise<number | undefined> {
    return (await session.positions([{ chain: of, start: 0 }])).get(of)
  }

  /** Ends the server's side of the loader's sessions. */
  async terminate(): Promise<void> {
    await this.admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'causeway'"
    )
  }

  async #connect(): Promise<void> {
    await this.#admin?.end().catch(() => {})
    this.#admin = new pg.Client({ connectionString: this.subject.url })
    this.#admin.on('error', () => {})
    await this.#admin.connect()
  }
}

function there<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the warehouse has not started')
  return value
}
