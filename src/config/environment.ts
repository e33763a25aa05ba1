import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { toFault } from '../errors.ts'

/** What a config file may refer to beyond itself. */
export interface Environment {
  /** Value of an environment variable. */
  readonly variable: (name: string) => string | undefined
  /** Content of a text file. Throws when it cannot be read. */
  readonly readText: (path: string) => string
  /** Makes a path of the config absolute. */
  readonly absolute: (path: string) => string
}

/** The machine we run on; relative paths start at the config file's directory. */
export function machineEnvironment(
  directory: string,
  variables: Readonly<Record<string, string | undefined>>
): Environment {
  const absolute = (path: string) => resolve(directory, path)
  return {
    variable: (name) => variables[name],
    readText: (path) => readFileSync(absolute(path), 'utf8'),
    absolute
  }
}

/** Why a file could not be read, in few words and without its content. */
export function whyUnreadable(error: unknown): string {
  const { code } = error instanceof Error && 'code' in error ? error : { code: undefined }
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES' || code === 'EPERM') return 'reading it is not permitted'
  if (code === 'EISDIR') return 'it is a directory'
  return toFault(error).message
}
