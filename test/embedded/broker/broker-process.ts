import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { startBroker } from '../../../src/embedded/broker/broker.ts'

/** A broker in a process of its own, so that it can be killed. Run as a script: `<data directory> <port>`. */
export interface BrokerProcess {
  readonly address: string
  readonly port: number
  /** Ends the process at once (SIGKILL), wherever it is. */
  kill(): Promise<void>
}

export async function spawnBroker(dataDir: string, port = 0): Promise<BrokerProcess> {
  const child = spawn(process.execPath, [import.meta.filename, dataDir, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const taken = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (line: Buffer) => resolve(Number(line.toString())))
    child.once('exit', (code) => reject(new Error(`the broker ended with ${code}`)))
  })
  return { address: `127.0.0.1:${taken}`, port: taken, kill: () => kill(child) }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

if (process.argv[1] === import.meta.filename) {
  const [dataDir = '', port] = process.argv.slice(2)
  const broker = await startBroker({ dataDir, port: Number(port) })
  console.log(broker.port)
}
