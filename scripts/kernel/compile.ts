import { fileURLToPath } from 'node:url'
import { main } from 'assemblyscript/asc'

const OPTIONS = [
  ...['--runtime', 'stub', '--use', 'abort=', '--noAssert'],
  ...['-O3', '--converge', '--enable', 'simd']
]

/** The WebAssembly of `kernel/`: the same bytes wherever it is compiled. Throws what the compiler says. */
export async function compileKernel(): Promise<Uint8Array> {
  const baseDir = fileURLToPath(new URL('../..', import.meta.url))
  let compiled: Uint8Array | undefined
  const { error, stderr } = await main(
    ['kernel/index.ts', '--baseDir', baseDir, ...OPTIONS, '--outFile', 'kernel.wasm'],
    {
      writeFile: (_name, contents) => {
        if (typeof contents !== 'string') compiled = contents
      }
    }
  )
  if (error !== null || compiled === undefined) throw new Error(`${error?.message}\n${stderr.toString()}`)
  return compiled
}

/** As a module, so that it is bundled and loaded like any other. */
export function kernelModule(wasm: Uint8Array): string {
  const lines =
    Buffer.from(wasm)
      .toString('base64')
      .match(/.{1,100}/g) ?? []
  const text = lines.map((line) => `  '${line}'`).join(',\n')
  return `/** WebAssembly of \`kernel/\`, in base64; written by \`npm run kernel\`. */\nexport const kernelBytes: string = [\n${text}\n].join('')\n`
}
