import * as z from 'zod'
import { type Environment, whyUnreadable } from './environment.ts'
import { Secret } from './secret.ts'
import { patternOf } from './topics.ts'
import { durationPattern, parseDuration, parseSize, sizePattern } from './units.ts'

/**
 * The kinds of values a config is made of. By convention the message of every issue says what is allowed, and that of
 * a table's unknown key lists the known ones: `faults.ts` puts the rest around it.
 */
export type Issues = z.core.$RefinementCtx<unknown>

export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const NAME = 'up to 64 letters, digits, ".", "_" or "-", the first a letter or digit'

export function table<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : 'a table')
  })
}

/** A table of named tables, such as `[mirror.NAME]`. Its output has no prototype: no name is special. */
export function named<Value extends z.ZodType>(value: Value) {
  return z
    .record(z.string().regex(namePattern, { error: NAME }), value, { error: 'a table of named tables' })
    .prefault({})
    .transform((tables): Record<string, z.output<Value>> => Object.assign(Object.create(null), tables))
}

export const name = () => text(namePattern, NAME)

export const topicName = () =>
  text(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/, 'a Kafka topic: up to 249 letters, digits, ".", "_" or "-"')

export function text(pattern: RegExp, allowed: string) {
  return z.string({ error: allowed }).regex(pattern, { error: allowed })
}

export function oneOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, { error: values.map((value) => `"${value}"`).join(', ') })
}

export const flag = () => z.boolean({ error: 'true or false' })

export function integer(min: number, max: number) {
  const error = `a whole number from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

/** Output: milliseconds. */
export function duration(min: string, max: string) {
  return quantity(
    durationPattern,
    parseDuration,
    min,
    max,
    `a duration from ${min} to ${max}, such as "${min}"`
  )
}

/** Output: bytes. */
export function size(min: string, max: string) {
  return quantity(sizePattern, parseSize, min, max, `a size from ${min} to ${max}, such as "${min}"`)
}

function quantity(
  pattern: RegExp,
  parse: (text: string) => number | undefined,
  min: string,
  max: string,
  error: string
) {
  const [least, most] = [parse(min) ?? 0, parse(max) ?? Number.MAX_SAFE_INTEGER]
  return z
    .string({ error })
    .regex(pattern, { error, abort: true })
    .transform((given, issues) => {
      const value = parse(given)
      if (value !== undefined && value >= least && value <= most) return value
      return refuse(issues, error)
    })
}

/** An array of at least `least` values. */
export function list<Value extends z.ZodType>(value: Value, least: 0 | 1, allowed: string) {
  return z.array(value, { error: allowed }).min(least, { error: allowed })
}

export const topicPatterns = (least: 0 | 1) =>
  list(pattern('a topic or a valid regular expression'), least, 'an array of topics or regular expressions')

export const pattern = (allowed: string) => z.string({ error: allowed }).refine(isPattern, { error: allowed })

function isPattern(given: string): boolean {
  try {
    patternOf(given)
    return given !== ''
  } catch {
    return false
  }
}

/** An http(s) URL without credentials, query or fragment. Output: the same without a trailing slash. */
export function httpUrl(allowed: string) {
  return z.string({ error: allowed }).transform((given, issues) => {
    const url = URL.canParse(given) ? new URL(given) : undefined
    const isPlain =
      url !== undefined &&
      ['http:', 'https:'].includes(url.protocol) &&
      `${url.username}${url.password}${url.search}${url.hash}` === ''
    return isPlain ? given.replace(/\/+$/, '') : refuse(issues, allowed)
  })
}

/** `host:port`; IPv6 addresses in brackets. Output: host and port. */
export function hostAndPort(minPort: 0 | 1) {
  const error = `"host:port" with a port from ${minPort} to 65535`
  return z
    .string({ error })
    .regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/, { error, abort: true })
    .transform((given, issues) => {
      const colon = given.lastIndexOf(':')
      const [host, port] = [given.slice(0, colon).replaceAll(/[[\]]/g, ''), Number(given.slice(colon + 1))]
      return port >= minPort && port <= 65_535 ? { host, port } : refuse(issues, error)
    })
}

const SECRET = `"\${env:NAME}" or "\${file:PATH}": secrets are given by reference, so that config files can be shared`
const REFERENCE = /^\$\{(env|file):([^}]+)\}$/

/** A reference to a secret. Output: the `Secret` it refers to. */
export function secret(environment: Environment) {
  return z
    .string({ error: SECRET })
    .regex(REFERENCE, { error: SECRET, abort: true })
    .transform((given, issues) => {
      const [, kind, target = ''] = REFERENCE.exec(given) ?? []
      const resolved = kind === 'env' ? fromVariable(environment, target) : fromFile(environment, target)
      return resolved instanceof Secret ? resolved : unresolved(issues, resolved)
    })
}

function fromVariable(environment: Environment, variable: string): Secret | string {
  const value = environment.variable(variable)
  if (value === undefined) return `refers to the environment variable ${variable}, which is not set`
  return value === '' ? `refers to the environment variable ${variable}, which is empty` : new Secret(value)
}

function fromFile(environment: Environment, path: string): Secret | string {
  try {
    const content = environment.readText(path).replace(/\r?\n$/, '')
    return content === '' ? `refers to the file ${path}, which is empty` : new Secret(content)
  } catch (error) {
    return `refers to the file ${path}: ${whyUnreadable(error)}`
  }
}

/** The path of a PEM file. Output: its content. */
export function pemFile(environment: Environment) {
  const error = 'the path of a PEM file'
  return z.string({ error }).transform((path, issues) => {
    try {
      const content = environment.readText(path)
      return content.includes('-----BEGIN ') ? content : refuse(issues, error)
    } catch (cause) {
      return unresolved(issues, `refers to the file ${path}: ${whyUnreadable(cause)}`)
    }
  })
}

/** Output: an absolute path. */
export function path(environment: Environment) {
  return text(/\S/, 'a path').transform((given) => environment.absolute(given))
}

/** The same object without its undefined values, for properties that are optional in the strict sense. */
export function present<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, given]) => given !== undefined)) as Present<T>
}

type Present<T> = { readonly [Key in keyof T]?: Exclude<T[Key], undefined> }

export function refuse(issues: Issues, message: string): typeof z.NEVER {
  issues.addIssue({ code: 'custom', message })
  return z.NEVER
}

/** The reference is well formed, but what it refers to cannot be had. */
function unresolved(issues: Issues, message: string): typeof z.NEVER {
  issues.addIssue({ code: 'custom', message, params: { unresolved: true } })
  return z.NEVER
}
