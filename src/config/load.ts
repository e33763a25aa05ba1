import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import * as z from 'zod'
import { Fault } from '../errors.ts'
import { type Environment, machineEnvironment, whyUnreadable } from './environment.ts'
import { ConfigFaults, faultsOf } from './faults.ts'
import { checkReferences } from './references.ts'
import { checkRelations } from './relations.ts'
import { configSchema } from './schema.ts'
import { Secret } from './secret.ts'
import type { Config } from './types.ts'

/**
 * Reads, checks and freezes a config file. `variables` are the environment that `${env:NAME}` refers to; relative
 * paths in the file start at its own directory.
 *
 * Throws a `Fault` `config-unreadable`, or `ConfigFaults` with everything that is wrong.
 */
export function loadConfig(
  file: string,
  variables: Readonly<Record<string, string | undefined>> = {}
): Config {
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Fault('config-unreadable', `cannot read the config ${file}: ${whyUnreadable(error)}`, {
      cause: error
    })
  }
  return parseConfig(content, file, machineEnvironment(dirname(resolve(file)), variables))
}

/** The same for a config that is in memory; `file` is what faults call it. */
export function parseConfig(content: string, file: string, environment: Environment): Config {
  const document = parseToml(content, file)
  const result = configSchema(environment).safeParse(document)
  const faults = faultsOf(result.error?.issues ?? [], document)
  const told = new Set(faults.map(({ key }) => key))
  const between = [...checkReferences(document), ...checkRelations(document)]
  faults.push(...between.filter(({ key }) => !told.has(key)))
  if (result.data === undefined || faults.length > 0) throw new ConfigFaults(file, faults)
  return freeze(result.data)
}

/** The JSON Schema of config files (draft 2020-12), for editors: `config.schema.json`. */
export function configJsonSchema(): object {
  const nothing: Environment = { variable: () => undefined, readText: () => '', absolute: (path) => path }
  return { title: 'Causeway configuration', ...z.toJSONSchema(configSchema(nothing), { io: 'input' }) }
}

function parseToml(content: string, file: string): unknown {
  try {
    return parse(content)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // The error's further lines quote the file, which might hold a secret that has no business there.
    const reason = error.message.split('\n', 1)[0]?.replace(/^Invalid TOML document: /, '')
    throw new ConfigFaults(file, [
      { key: `line ${error.line}, column ${error.column}`, problem: `is not TOML: ${reason}` }
    ])
  }
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || value instanceof Secret) return value
  for (const inner of Object.values(value)) freeze(inner)
  return Object.freeze(value)
}
