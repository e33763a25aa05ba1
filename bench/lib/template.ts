import { readFileSync } from 'node:fs'

/** A committed configuration with its `{{name}}` filled in. Throws when a name has no value. */
export function filled(file: string, values: Readonly<Record<string, string>>): string {
  return readFileSync(file, 'utf8').replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`${file} asks for ${name}`)
    return value
  })
}
