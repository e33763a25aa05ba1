import { writeFileSync } from 'node:fs'

/** Writes a configuration file as Hadoop's programs read it. */
export function writeProperties(path: string, properties: Readonly<Record<string, string>>): void {
  const entries = Object.entries(properties).map(
    ([name, value]) => `  <property><name>${xml(name)}</name><value>${xml(value)}</value></property>\n`
  )
  writeFileSync(path, `<configuration>\n${entries.join('')}</configuration>\n`)
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
