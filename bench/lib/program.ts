import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { ProcessTree } from './process-tree.ts'

/** How a program is started. */
export interface Command {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const PRINTED_MAX = 256 * 1_024
/** What is asked to end and does not is killed after this. */
const STOP_MS = 20_000

/** Linux ends a program when the benchmark dies, even by SIGKILL, if `setpriv` is there; it becomes the program. */
const leash = spawnSync('setpriv', ['--version']).status === 0 ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []

/** A program under measurement. */
export class Program {
  readonly tree: ProcessTree
  /** When it was started, on the clock of `performance.now()`. */
  readonly startedAt: number
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #printed = ''

  constructor({ command, args, env }: Command) {
    const [first = command, ...rest] = [...leash, command, ...args]
    this.startedAt = performance.now()
    this.#child = spawn(first, rest, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    const keep = (chunk: Buffer) => {
      this.#printed = (this.#printed + chunk.toString()).slice(-PRINTED_MAX)
    }
    this.#child.stdout?.on('data', keep)
    this.#child.stderr?.on('data', keep)
    this.#child.stdin?.on('error', () => {})
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        keep(Buffer.from(String(error)))
        resolve()
      })
      this.#child.on('close', () => resolve())
    })
    this.tree = new ProcessTree(this.#child.pid ?? -1)
  }

  get printed(): string {
    return this.#printed
  }

  get hasEnded(): boolean {
    const { pid, exitCode, signalCode } = this.#child
    return pid === undefined || exitCode !== null || signalCode !== null
  }

  /** A line for its standard input. */
  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  /** Its end by itself; an exit code other than 0 is an error. */
  async finished(): Promise<string> {
    await this.#ended
    if (this.#child.exitCode === 0) return this.#printed
    throw new Error(`a program ended with ${this.#child.exitCode}:\n${this.#printed.slice(-3_000)}`)
  }

  /** SIGTERM, and SIGKILL when that does not help. */
  async stop(): Promise<void> {
    if (this.hasEnded) return
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    await this.#ended
    clearTimeout(timer)
  }

  /** Asks until there is an answer; an error with what the program printed when it ends or takes too long. */
  async until<T>(
    what: string,
    fact: () => T | undefined | Promise<T | undefined>,
    limits: Limits
  ): Promise<T> {
    const deadline = performance.now() + limits.timeoutMs
    for (;;) {
      const found = await fact()
      if (found !== undefined) return found
      const late = performance.now() > deadline
      if (this.hasEnded || late) {
        const why = late
          ? `did not happen in ${limits.timeoutMs} ms`
          : 'did not happen before the program ended'
        throw new Error(`${what} ${why}:\n${this.#printed.slice(-3_000)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, limits.everyMs))
    }
  }
}

export interface Limits {
  readonly everyMs: number
  readonly timeoutMs: number
}
