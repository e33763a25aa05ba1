import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { build, type Plugin } from 'esbuild'

const root = join(import.meta.dirname, '..', '..')

/** A dependency whose code is inside, and the folder in `node_modules` that it came from. */
export interface BundledPackage {
  readonly name: string
  readonly folder: string
}

const MAIN = 'src/main.ts'

/**
 * The program, or what else begins with `entry`, as one CommonJS file, dynamic imports included: a single executable can import nothing but Node's own
 * modules. Each module still runs only when it is first imported, so a verb pays for no other verb's libraries.
 */
export async function bundle(
  outfile: string,
  entry: string = MAIN
): Promise<{ readonly file: string; readonly packages: readonly BundledPackage[] }> {
  const mended = new Set<string>()
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    // Names stay: they are in stack traces, and kafkajs and pg look at them.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    supported: { 'dynamic-import': false },
    // Reached by nothing inside the executable, where files are assets.
    define: { 'import.meta.url': '"file:///causeway"' },
    // Optional native code that pg uses when somebody has installed it.
    external: ['pg-native'],
    metafile: true,
    logLevel: 'warning',
    logOverride: { 'direct-eval': 'silent' },
    plugins: [mending(mended)]
  })
  for (const { path } of entry === MAIN ? mends : []) {
    if (!mended.has(path)) throw new Error(`${path} is not in the bundle any more: its mending can go`)
  }
  if (/\bnew Buffer\d*\(/.test(await readFile(outfile, 'utf8')))
    throw new Error('the bundle has `new Buffer` in it')
  const inputs = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs))
  return { file: outfile, packages: packagesOf(inputs) }
}

interface Mend {
  readonly path: string
  readonly replace: readonly (readonly [what: RegExp, by: string])[]
}

const bufferOf =
  'const bufferOf=(value,encoding)=>typeof value==="number"?Buffer.alloc(value):Buffer.from(value,encoding);'
const oldBuffer = /\bnew Buffer\(/g

/** Old CommonJS that the bundle's strict mode does not take as it is: variables that nobody declared would throw. */
const mends: readonly Mend[] = [
  {
    path: 'parquetjs-lite/gen-nodejs/parquet_types.js',
    replace: [[/^(\w+) = module\.exports\.\1 = /gm, 'var $1 = module.exports.$1 = ']]
  },
  { path: 'bintrees/lib/bintree.js', replace: [[/^ +ret = true;$/m, '']] }
]

function mending(mended: Set<string>): Plugin {
  return {
    name: 'mending',
    setup(build) {
      build.onLoad({ filter: /[\\/]node_modules[\\/].*\.c?js$/ }, async ({ path }) => {
        let contents = await readFile(path, 'utf8')
        const mend = mends.find((each) => path.endsWith(join('node_modules', each.path)))
        for (const [what, by] of mend?.replace ?? []) {
          if (contents.search(what) < 0) throw new Error(`${path} has nothing like ${what} to mend any more`)
          contents = contents.replace(what, by)
        }
        if (mend !== undefined) mended.add(mend.path)
        // It warns (DEP0005) once it is no longer below `node_modules`.
        const modern = contents.replace(oldBuffer, 'bufferOf(')
        if (modern !== contents) return { contents: bufferOf + modern, loader: 'js' }
        return mend && { contents, loader: 'js' }
      })
    }
  }
}

function packagesOf(inputs: readonly string[]): BundledPackage[] {
  const folders = new Map<string, string>()
  for (const input of inputs) {
    const [folder, name] = /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input) ?? []
    if (folder !== undefined && name !== undefined) folders.set(folder, name)
  }
  return [...folders]
    .map(([folder, name]) => ({ name, folder: relative(root, join(root, folder)) }))
    .sort((a, b) => (a.folder < b.folder ? -1 : 1))
}
