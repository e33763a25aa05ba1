import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'

/** The program from its sources: how the quick tier starts it. The executable is started by its path alone. */
export const fromSources: readonly string[] = [
  process.execPath,
  join(import.meta.dirname, '../../src/main.ts')
]

export interface ProcessOptions {
  /** The program and its first arguments; `fromSources` by default. */
  readonly program?: readonly string[]
  /** Variables beside our own environment. */
  readonly env?: Readonly<Record<string, string>>
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Causeway in a process of its own, as a user would start it. */
export class CausewayProcess {
  readonly child: ChildProcess
  readonly exited: Promise<Exit>
  readonly #out: string[] = []
  readonly #err: string[] = []

  constructor(args: readonly string[], { program = fromSources, env = {} }: ProcessOptions = {}) {
    const [command = '', ...first] = program
    this.child = spawn(command, [...first, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env }
    })
    this.child.stdout?.on('data', (chunk: Buffer) => this.#out.push(chunk.toString()))
    this.child.stderr?.on('data', (chunk: Buffer) => this.#err.push(chunk.toString()))
    this.exited = new Promise((resolve) =>
      this.child.on('close', (code, signal) => resolve({ code, signal }))
    )
  }

  get stdout(): string {
    return this.#out.join('')
  }

  get stderr(): string {
    return this.#err.join('')
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Waits until `fact` yields something; fails with what the process said when it ends or takes too long. */
  async until<T>(
    what: string,
    fact: () => T | undefined | Promise<T | undefined>,
    timeoutMs = 60_000
  ): Promise<T> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const found = await fact()
      if (found !== undefined) return found
      if (!this.running) throw new Error(`the process ended before ${what}:\n${this.said()}`)
      if (Date.now() > deadline) throw new Error(`${what} took more than ${timeoutMs} ms:\n${this.said()}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  kill(): void {
    this.child.kill('SIGKILL')
  }

  /** Kills the process, if it still runs, and waits until it is gone. */
  async end(): Promise<void> {
    this.kill()
    await this.exited
  }

  /** Ends the process as an operator does, and returns its exit code. */
  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.kill(), 40_000)
    const { code } = await this.exited
    clearTimeout(timer)
    return code
  }

  said(): string {
    return `${this.stderr.slice(-3_000)}\n${this.stdout.slice(-1_000)}`.trim()
  }
}
