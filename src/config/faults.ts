import { closest } from 'fastest-levenshtein'
import type * as z from 'zod'
import { Fault } from '../errors.ts'

/** One thing that is wrong with a config: where, and what about it. Never holds a secret. */
export interface ConfigFault {
  /** Path of the key in the file's own words, for example `mirror.cloud.commit_interval`. */
  readonly key: string
  /** What was given and what is allowed, as one line. */
  readonly problem: string
}

/** Everything that is wrong with a config, so that one run of the editor can put it right. */
export class ConfigFaults extends Fault {
  readonly faults: readonly ConfigFault[]

  constructor(file: string, faults: readonly ConfigFault[]) {
    const lines = faults.map(({ key, problem }) => `${file}: ${key} ${problem}`)
    super('config-invalid', lines.join('\n'))
    this.faults = faults
  }
}

/** Keys whose values are secrets, wherever they stand. */
const SECRET_KEYS = new Set(['password', 'token', 'access_key_id', 'secret_access_key'])

/**
 * Puts zod's issues into words. The schema's fields (`fields.ts`) keep to a convention: an issue's message says what is
 * allowed, and the message of an unknown key lists the known ones.
 */
export function faultsOf(issues: readonly z.core.$ZodIssue[], document: unknown): ConfigFault[] {
  return issues.flatMap((issue) => describe(issue, document))
}

/** What a fault says of a value that is not allowed. */
export function notAllowed(given: unknown, allowed: string): string {
  return `= ${show(given)} is not allowed; allowed: ${allowed}`
}

function describe(issue: z.core.$ZodIssue, document: unknown): ConfigFault[] {
  const key = keyOf(issue.path)
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split(' ')
    return issue.keys.map((unknown) => ({
      key: keyOf([...issue.path, unknown]),
      problem: `is not a known key; did you mean "${closest(unknown, known)}"?`
    }))
  }
  if (issue.code === 'invalid_union') {
    const deeper = issue.errors.find((member) => member.some(isInside))
    if (deeper !== undefined) {
      return deeper.flatMap((inner) => describe({ ...inner, path: [...issue.path, ...inner.path] }, document))
    }
  }
  if (issue.code === 'invalid_key') {
    return [{ key, problem: `is not an allowed name; allowed: ${issue.issues[0]?.message}` }]
  }
  if (issue.code === 'custom' && issue.params?.unresolved === true) {
    return [{ key, problem: issue.message }]
  }
  const given = valueAt(document, issue.path)
  if (given === undefined) return [{ key, problem: `is missing; allowed: ${issue.message}` }]
  if (isSecret(issue.path)) {
    return [{ key, problem: `(its value is not shown) is not allowed; allowed: ${issue.message}` }]
  }
  if (expectsTable(issue) && typeof given === 'string') {
    return [{ key, problem: `is a string, which is not allowed; allowed: ${issue.message}` }]
  }
  return [{ key, problem: notAllowed(given, issue.message) }]
}

/** What stands where a table belongs is not shown: it may be the secret that the table would have held. */
function expectsTable(issue: z.core.$ZodIssue): boolean {
  if (issue.code === 'invalid_union') return issue.discriminator === undefined
  return issue.code === 'invalid_type' && ['object', 'record'].includes(issue.expected)
}

/** Whether an issue of a union's member is about something inside the value: that member was meant. */
function isInside(issue: z.core.$ZodIssue): boolean {
  return issue.path.length > 0 || issue.code === 'unrecognized_keys'
}

function isSecret(path: readonly PropertyKey[]): boolean {
  const last = path.at(-1)
  return (typeof last === 'string' && SECRET_KEYS.has(last)) || (path[0] === 'warehouse' && last === 'url')
}

/** The key as TOML writes it. */
export function keyOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((key, part) => {
    if (typeof part === 'number') return `${key}[${part}]`
    const word = /^[A-Za-z0-9_-]+$/.test(String(part)) ? String(part) : JSON.stringify(String(part))
    return key === '' ? word : `${key}.${word}`
  }, '')
}

function valueAt(document: unknown, path: readonly PropertyKey[]): unknown {
  let value = document
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = Reflect.get(value, part)
  }
  return value
}

/** A short form of a value for a message; of a table only that it is one, because it may hold a secret. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shorten(value.replaceAll(/[^/\s"]+@/g, '[hidden]@')))
  if (Array.isArray(value)) return value.length === 0 ? '[]' : 'an array'
  if (typeof value === 'object' && value !== null) return value instanceof Date ? 'a date' : 'a table'
  return String(value)
}

function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`
}
