import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { compileKernel, kernelModule } from './kernel/compile.ts'

/** Compiles `kernel/` into the module of which the sources import the bytes; `npm run kernel`. */
const target = fileURLToPath(new URL('../src/records/kernel-bytes.ts', import.meta.url))
await writeFile(target, kernelModule(await compileKernel()))
