import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** How a service of somebody else is started. */
export interface ServiceCommand {
  /** What errors call it. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Asked again and again, with what the service has printed last, until it says true. */
  readonly ready: (printed: string) => boolean | Promise<boolean>
  /** 90 s by default. */
  readonly startTimeoutMs?: number
}

/** A service that runs in a process of its own. */
export interface Service {
  readonly pid: number
  /** What it printed last, both streams, for errors and for tests of what it logs. */
  readonly printed: () => string
  /** `SIGTERM`, and `SIGKILL` for one that does not go within 10 s. */
  readonly stop: () => Promise<void>
  /** `SIGKILL`; resolves when the process is gone. */
  readonly kill: () => Promise<void>
  /** Freezes and thaws it. */
  readonly signal: (signal: 'SIGSTOP' | 'SIGCONT') => void
}

const PRINTED_MAX = 64 * 1_024
const STOP_MS = 10_000

/** Linux ends a service when the test process that started it dies, even by SIGKILL, if `setpriv` is there. */
const leash = spawnSync('setpriv', ['--version']).status === 0 ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []

/** Starts a service and waits until it is ready; one that ends or stays silent is an error with what it printed. */
export async function startService(start: ServiceCommand): Promise<Service> {
  const [command = start.command, ...args] = [...leash, start.command, ...start.args]
  const child = spawn(command, args, {
    cwd: start.cwd,
    env: start.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let printed = ''
  const keep = (chunk: Buffer) => {
    printed = (printed + chunk.toString()).slice(-PRINTED_MAX)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  child.on('error', (error) => keep(Buffer.from(String(error))))
  const endWith = (signal: NodeJS.Signals) => end(child, signal)
  const service: Service = {
    pid: child.pid ?? -1,
    printed: () => printed,
    stop: () => endWith('SIGTERM'),
    kill: () => endWith('SIGKILL'),
    signal: (signal) => child.kill(signal)
  }
  try {
    await untilReady(start, child, () => printed)
  } catch (error) {
    await service.kill()
    throw error
  }
  return service
}

async function untilReady(
  { name, ready, startTimeoutMs = 90_000 }: ServiceCommand,
  child: ChildProcess,
  printed: () => string
): Promise<void> {
  const deadline = Date.now() + startTimeoutMs
  while (!(await ready(printed()))) {
    const ended = hasEnded(child)
    if (ended || Date.now() > deadline) {
      const what = ended ? 'ended before it was ready' : `was not ready within ${startTimeoutMs} ms`
      throw new Error(`${name} ${what}:\n${printed().slice(-3_000)}`)
    }
    await delay(50)
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  // A frozen process hears nothing but SIGKILL.
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(timer)
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}

/** Ports of loopback that are free now; the listeners that found them close together, so that no two are equal. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.on('error', reject)
          server.listen(0, '127.0.0.1', () => {
            const address = server.address()
            resolve(typeof address === 'object' && address !== null ? address.port : -1)
          })
        })
    )
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** One free port of loopback. */
export async function freePort(): Promise<number> {
  const [port = -1] = await freePorts(1)
  return port
}
