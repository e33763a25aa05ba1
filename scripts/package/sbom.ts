import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BundledPackage } from './bundle.ts'

const root = join(import.meta.dirname, '..', '..')

interface Component {
  readonly 'bom-ref': string
  readonly type: string
  readonly name: string
  readonly version: string
  readonly [more: string]: unknown
}

interface Dependency {
  readonly ref: string
  readonly dependsOn?: readonly string[]
}

interface Bom {
  readonly metadata: { readonly component: Component; readonly [more: string]: unknown }
  readonly components: readonly Component[]
  readonly dependencies: readonly Dependency[]
  readonly [more: string]: unknown
}

/**
 * What is inside the executable, as CycloneDX 1.5: npm's own bill of the locked packages, less those whose code is not
 * inside (npm's `--omit=dev` also drops what both kinds of dependency use), plus Node and PostgreSQL, which npm knows only as packages that carry them. It holds no time and no
 * random number: the same lock file gives the same bill.
 */
export function billOfMaterials(inside: {
  readonly packages: readonly BundledPackage[]
  readonly postgresVersion: string
}): string {
  const args = ['sbom', '--package-lock-only', '--sbom-format=cyclonedx']
  const text = execFileSync('npm', args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 2 ** 26
  })
  const { serialNumber, ...bom } = JSON.parse(text.toString()) as Bom
  const { timestamp, ...metadata } = bom.metadata
  const added = [
    external('nodejs', process.versions.node, 'MIT', `pkg:github/nodejs/node@v${process.versions.node}`),
    external('postgresql', inside.postgresVersion.replace(/-.*/, ''), 'PostgreSQL', undefined)
  ]
  const bundled = new Set(inside.packages.map(({ folder }) => reference(folder)))
  const npm = bom.components.filter((component) => bundled.delete(component['bom-ref']))
  if (bundled.size > 0) throw new Error(`npm's bill of materials lacks ${[...bundled].join(', ')}`)
  const refs = new Set([...npm, ...added].map((component) => component['bom-ref']))
  const own = metadata.component['bom-ref']
  const dependencies = bom.dependencies
    .filter(({ ref }) => ref === own || refs.has(ref))
    .map(({ ref, dependsOn = [] }) => ({
      ref,
      dependsOn: [
        ...dependsOn.filter((dependency) => refs.has(dependency)),
        ...(ref === own ? added.map((component) => component['bom-ref']) : [])
      ]
    }))
  const component = { ...metadata.component, type: 'application', name: 'causeway' }
  const lifecycles = [{ phase: 'build' }]
  return `${JSON.stringify({ ...bom, metadata: { ...metadata, lifecycles, component }, components: [...npm, ...added], dependencies }, null, 2)}\n`
}

function external(name: string, version: string, licence: string, purl: string | undefined): Component {
  return {
    'bom-ref': `${name}@${version}`,
    type: name === 'nodejs' ? 'platform' : 'application',
    name,
    version,
    licenses: [{ license: { id: licence } }],
    ...(purl === undefined ? {} : { purl })
  }
}

/** How npm refers to a package in the bill. */
function reference(folder: string): string {
  const { name, version } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Record<
    'name' | 'version',
    string
  >
  return `${name}@${version}`
}
