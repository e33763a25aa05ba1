/**
 * An error as data: what went wrong (`code`), whether trying again can help (`retryable`), and what caused it.
 *
 * Codes are lower-case words joined by dashes and are part of the interface: they appear in logs, in metrics and on
 * the page. A message names the thing (`topic "hybrid" partition 3`), never a secret.
 */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: string
  readonly retryable: boolean

  constructor(code: string, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
  }
}

export interface FaultOptions {
  readonly retryable?: boolean
  readonly cause?: unknown
}

/** What the shell is told (`process.exitCode`): 0 done, 1 failed while running, 2 unusable arguments or config. */
export const exitCodes = { done: 0, failed: 1, unusable: 2 } as const

const UNUSABLE = new Set([
  'arguments-invalid',
  'claim-mismatch',
  'config-invalid',
  'config-unreadable',
  'data-dir-in-use',
  'data-dir-version',
  'data-dir-not-writable',
  'mirror-circle',
  'mirror-handed-back',
  'mirror-not-started',
  'mirror-onto-itself',
  'mm2-naming',
  'mm2-not-found',
  'port-in-use',
  'store-without-conditional-writes',
  'store-without-encryption'
])

/** The exit code that a fault which ends the process leaves behind. */
export function exitCodeOf(fault: Fault): number {
  return UNUSABLE.has(fault.code) ? exitCodes.unusable : exitCodes.failed
}

/** Node's system error codes after which the same call may succeed later. */
const RETRYABLE_SYSTEM_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ENOTFOUND',
  'EBUSY',
  'EMFILE',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT'
])

/**
 * Turns whatever was thrown into a `Fault`. Total: it never throws, and a `Fault` comes back unchanged. An unknown
 * error is not retryable: a defect of ours must reach the supervisor instead of looping.
 */
export function toFault(error: unknown): Fault {
  if (error instanceof Fault) return error
  if (error instanceof AggregateError && error.errors.length > 0) return toFault(error.errors[0])
  if (!(error instanceof Error)) return new Fault('unknown', String(error))
  if (error.name === 'AbortError') return new Fault('aborted', error.message, { cause: error })
  if (error.name === 'TimeoutError')
    return new Fault('timed-out', error.message, { cause: error, retryable: true })
  const code = systemCode(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Fault('disk-full', error.message, { cause: error, retryable: true })
  }
  if (code !== undefined && RETRYABLE_SYSTEM_CODES.has(code)) {
    return new Fault('unreachable', error.message || code, { cause: error, retryable: true })
  }
  if (error.cause instanceof Error) {
    const inner = toFault(error.cause)
    if (inner.code !== 'unknown')
      return new Fault(inner.code, error.message, { cause: error, retryable: inner.retryable })
  }
  return new Fault('unknown', error.message, { cause: error })
}

function systemCode(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
