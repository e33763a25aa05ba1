import type { IncomingMessage } from 'node:http'
import { RemoteError } from './errors.ts'
import type { User } from './permissions.ts'

/** A WebHDFS request taken apart. */
export interface WebHdfsRequest {
  readonly method: string
  /** Upper case; "" when absent. */
  readonly op: string
  /** Absolute and without a slash at the end; decoded. */
  readonly path: string
  readonly parameters: URLSearchParams
}

const PREFIX = '/webhdfs/v1'

/** Throws `RemoteError` for what is no WebHDFS request. */
export function parseRequest(request: IncomingMessage): WebHdfsRequest {
  const { path, parameters } = targetOf(request)
  const method = request.method ?? 'GET'
  if (!path.startsWith(`${PREFIX}/`))
    throw new RemoteError('FileNotFoundException', `${path} is not under ${PREFIX}`)
  const names = path.slice(PREFIX.length + 1).split('/')
  if (names.at(-1) === '') names.pop()
  if (names.some((name) => name === '' || name === '.' || name === '..')) {
    const message = `Invalid path name Invalid file name: /${names.join('/')}`
    throw new RemoteError('InvalidPathException', message)
  }
  return { method, op: (parameters.get('op') ?? '').toUpperCase(), path: `/${names.join('/')}`, parameters }
}

/** `<OP> <path>`: what fault rules see. */
export function subjectOf(request: IncomingMessage): string {
  const { path, parameters } = targetOf(request)
  return `${(parameters.get('op') ?? '').toUpperCase()} ${path.slice(PREFIX.length)}`
}

/** Reads the parameters of a request; every reader throws `IllegalArgumentException` for a value it cannot use. */
export class Parameters {
  readonly #values: URLSearchParams

  constructor(values: URLSearchParams) {
    this.#values = values
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name)
    return value === null || value === '' ? undefined : value
  }

  boolean(name: string, otherwise: boolean): boolean {
    const value = this.text(name)?.toLowerCase() ?? String(otherwise)
    if (value !== 'true' && value !== 'false') {
      throw invalid(name, `Failed to parse "${value}" to Boolean.`)
    }
    return value === 'true'
  }

  /** A whole number from `min` on. */
  count(name: string, min = 0): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = Number(text)
    if (!Number.isSafeInteger(value))
      throw invalid(name, `Failed to parse "${text}" as a radix-10 long integer.`)
    if (value < min) throw invalid(name, `Invalid parameter range: ${name} = ${value} < ${min}`)
    return value
  }

  /** `value` of a parameter without which `op` makes no sense. */
  required<Value>(name: string, op: string, value: Value | undefined): Value {
    if (value !== undefined) return value
    const message = `Required param ${name} for op: ${op} is null or empty`
    throw new RemoteError('IllegalArgumentException', message)
  }

  permission(otherwise: number): number {
    const text = this.text('permission')
    if (text === undefined) return otherwise
    if (!/^[0-7]+$/.test(text)) {
      throw invalid('permission', `Failed to parse "${text}" as a radix-8 short integer.`)
    }
    const value = Number.parseInt(text, 8)
    if (value > 0o1777) throw invalid('permission', `Invalid parameter range: permission = ${text} > 1777`)
    return value
  }

  destination(): string {
    const text = this.required('destination', 'RENAME', this.text('destination'))
    if (!text.startsWith('/')) {
      throw invalid(
        'destination',
        `Invalid parameter value: destination = "${text}" is not an absolute path.`
      )
    }
    return text.length > 1 && text.endsWith('/') ? text.slice(0, -1) : text
  }

  /** The caller by `user.name`, as with simple authentication; each user is alone in a group of the same name. */
  user(superuser: string, groups: Readonly<Record<string, readonly string[]>>): User {
    const name = this.text('user.name') ?? 'dr.who'
    return { name, groups: groups[name] ?? [name], superuser: name === superuser }
  }
}

export function invalid(name: string, why: string): RemoteError {
  return new RemoteError('IllegalArgumentException', `Invalid value for webhdfs parameter "${name}": ${why}`)
}

function targetOf(request: IncomingMessage): { path: string; parameters: URLSearchParams } {
  const [path = '', query = ''] = (request.url ?? '/').split(/\?(.*)/s)
  return { path: decode(path), parameters: new URLSearchParams(query) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
