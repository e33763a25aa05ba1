import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** An embedded service in a process of its own, to be killed. */
export interface ChildService {
  readonly port: number
  /** `kill -9`; resolves when the process is gone. */
  readonly kill: () => Promise<void>
}

/** Starts `start(options)` of a module of src/embedded (`webhdfs/webhdfs.ts`) in a child process. */
export async function spawnService(module: string, start: string, options: object): Promise<ChildService> {
  const url = new URL(`../../src/embedded/${module}`, import.meta.url)
  const script = `import { ${start} } from '${url}'
const service = await ${start}(JSON.parse(process.argv[1]))
console.log(service.port)`
  const child: ChildProcess = spawn(
    process.execPath,
    ['--input-type=module', '--eval', script, JSON.stringify(options)],
    { stdio: ['ignore', 'pipe', 'inherit'] }
  )
  const exited = once(child, 'exit')
  if (child.stdout === null) throw new Error('the child has no output')
  const lines = createInterface({ input: child.stdout })
  const first = await Promise.race([once(lines, 'line'), exited.then(() => undefined)])
  if (first === undefined) throw new Error(`${module} did not start`)
  return {
    port: Number(first[0]),
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    }
  }
}
