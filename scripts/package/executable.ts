import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, readdirSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import pkg from '@yao-pkg/pkg/lib-es5/sea.js'

/**
 * The Node that runs this script and goes into the executable. It must be the registry's official build, which is made
 * for glibc 2.28; a distribution's own Node would run on that distribution only.
 */
export function runtime(): string {
  if (process.platform !== 'linux') throw new Error('the executable is made on Linux only')
  if (!process.execPath.includes(`${sep}node_modules${sep}`)) {
    throw new Error(`${process.execPath} is not the locked Node: start this by \`npm run package\``)
  }
  return process.execPath
}

/** What the sources read at run time: everything below `src/` that is no code, by its path there. */
export function sourceAssets(): Record<string, string> {
  const src = join(import.meta.dirname, '..', '..', 'src')
  const paths = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
    (path) => !path.endsWith('.ts')
  )
  return Object.fromEntries(
    paths.map((path) => [path, join(src, path)]).filter(([, file = '']) => statSync(file).isFile())
  )
}

export interface ExecutableOptions {
  readonly node: string
  /** The bundle. */
  readonly main: string
  /** File by asset name. */
  readonly assets: Readonly<Record<string, string>>
  readonly output: string
  readonly work: string
}

/**
 * Node's single executable application by pkg: its step without a file system of its own, because the bundle needs
 * none. Called through pkg's module and not its command line, which neither takes a Node that is already here nor
 * turns on V8's code cache. Symbols are stripped first: done afterwards, the result crashes.
 */
export async function makeExecutable({ node, main, assets, output, work }: ExecutableOptions): Promise<void> {
  const stripped = join(work, 'node')
  copyFileSync(node, stripped)
  execFileSync('strip', [stripped])
  await pkg.default(main, {
    targets: [{ nodeRange: `node${process.versions.node}`, platform: 'linux', arch: process.arch, output }],
    nodePath: stripped,
    signature: false,
    seaConfig: {
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: true,
      assets: { ...assets }
    }
  })
  chmodSync(output, 0o755)
}
