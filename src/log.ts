import { type DestinationStream, type Logger, pino } from 'pino'
import { prettyFactory } from 'pino-pretty'
import type { LogConfig } from './config.ts'
import { Fault } from './errors.ts'

/** Keys whose values never belong in a log, at the top and one level down. `Secret`s hide themselves. */
const HIDDEN = ['password', 'token', 'authorization', 'secretAccessKey', 'accessKeyId', 'url.password']

/**
 * The process's logger: one line per event on standard error, written before the call returns, so that the last words
 * of a dying process are not lost. Faults are logged once, at the edge, where nobody above can act on them any more.
 *
 * `destination` is where lines go instead, for tests.
 */
export function createLogger(config: LogConfig, destination: DestinationStream = standardError()): Logger {
  const stream = config.format === 'pretty' ? prettified(destination) : destination
  return pino(
    {
      level: config.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: { paths: HIDDEN.flatMap((key) => [key, `*.${key}`]), censor: '[secret]' }
    },
    stream
  )
}

/** Formats in place: a stream in between would still hold the last words when the process ends. */
function prettified(destination: DestinationStream): DestinationStream {
  const format = prettyFactory({ translateTime: 'SYS:HH:MM:ss.l', colorize: false })
  return { write: (line) => destination.write(format(line)) }
}

function standardError(): DestinationStream {
  return pino.destination({ dest: 2, sync: true })
}

interface ErrorInLog {
  readonly code: string
  readonly message: string
  readonly retryable?: boolean
  /** Only of errors that nobody classified: they are defects, and where they came from matters. */
  readonly stack?: string | undefined
  readonly cause?: ErrorInLog
}

/** An error and its causes, at most five deep. */
export function describeError(error: unknown, depth = 0): ErrorInLog {
  if (!(error instanceof Error)) return { code: 'unknown', message: String(error) }
  const isDefect = error instanceof Fault ? error.code === 'unknown' : depth === 0
  return {
    code: error instanceof Fault ? error.code : codeOf(error),
    message: error.message,
    ...(error instanceof Fault && { retryable: error.retryable }),
    ...(isDefect && { stack: error.stack }),
    ...(error.cause !== undefined && depth < 5 && { cause: describeError(error.cause, depth + 1) })
  }
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
