import pg from 'pg'
import { Fault, toFault } from '../../errors.ts'

/**
 * Classifies whatever the warehouse or the way to it threw. Total; a `Fault` comes back unchanged.
 *
 * `rows-refused` blames the rows and not the session: trying them again cannot help. All other faults end the session.
 * A message holds the server's primary message and its SQLSTATE, never the connection's URL, and never `detail`, in which
 * PostgreSQL quotes rows.
 */
export function warehouseFault(error: unknown, what: string): Fault {
  if (error instanceof Fault) return error
  if (error instanceof pg.DatabaseError) return fromSqlState(error, what)
  const fault = toFault(error)
  if (fault.code !== 'unknown')
    return new Fault(fault.code, `${what}: ${fault.message}`, { retryable: fault.retryable, cause: error })
  // Errors of the driver itself have a text and no code.
  if (
    /^(Connection terminated|Query read timeout|timeout expired|Client (was closed|has encountered))/.test(
      fault.message
    )
  )
    return new Fault('unreachable', `${what}: ${fault.message}`, { retryable: true, cause: error })
  return new Fault('warehouse-failed', `${what}: ${fault.message}`, { cause: error })
}

interface SqlStateRule {
  /** A whole SQLSTATE or its class, the first two characters (PostgreSQL, Appendix A). */
  readonly prefix: string
  readonly code: string
  readonly retryable: boolean
}

/** The first rule that fits decides. */
const RULES: readonly SqlStateRule[] = [
  { prefix: '40001', code: 'warehouse-conflict', retryable: true }, // serialization_failure; Redshift's 1023
  { prefix: '40P01', code: 'warehouse-conflict', retryable: true }, // deadlock_detected
  { prefix: '55P03', code: 'warehouse-busy', retryable: true }, // lock_not_available
  { prefix: '57014', code: 'warehouse-timeout', retryable: true }, // query_canceled, by statement_timeout
  { prefix: '25P03', code: 'warehouse-timeout', retryable: true }, // idle_in_transaction_session_timeout
  { prefix: '25006', code: 'warehouse-read-only', retryable: true }, // during a failover
  { prefix: '53100', code: 'disk-full', retryable: true },
  { prefix: '53', code: 'warehouse-overloaded', retryable: true },
  { prefix: '57P', code: 'unreachable', retryable: true }, // shutting down, starting up, terminated by an operator
  { prefix: '58', code: 'warehouse-overloaded', retryable: true }, // system error below the server
  { prefix: '08', code: 'unreachable', retryable: true },
  { prefix: '28', code: 'warehouse-denied', retryable: false },
  { prefix: '42501', code: 'warehouse-denied', retryable: false },
  { prefix: '3D000', code: 'warehouse-missing', retryable: false }, // no such database
  { prefix: '3F000', code: 'warehouse-missing', retryable: false }, // no such schema
  { prefix: '42', code: 'warehouse-mismatch', retryable: false }, // no such table or column, wrong type
  { prefix: '22', code: 'rows-refused', retryable: false },
  { prefix: '23', code: 'rows-refused', retryable: false }
]

function fromSqlState(error: pg.DatabaseError, what: string): Fault {
  const state = error.code ?? ''
  const rule = RULES.find(({ prefix }) => state.startsWith(prefix))
  // `where` of a refused COPY is `COPY tweets, line 3, column id: "…"`: the place helps, the value stays out.
  const place = /^COPY .*?, line \d+(, column [^:]+)?/.exec(error.where ?? '')?.[0]
  const message = `${what}: ${error.message} (SQLSTATE ${state || 'none'}${place === undefined ? '' : `, ${place}`})`
  return new Fault(rule?.code ?? 'warehouse-failed', message, { retryable: rule?.retryable ?? false })
}
