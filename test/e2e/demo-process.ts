import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Endpoints } from '../../src/demo/endpoints.ts'
import type { DemoReport } from '../../src/demo/report.ts'

export const main = join(import.meta.dirname, '../../src/main.ts')

export interface NodeOptions {
  readonly nodeArgs?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A demo that runs in a process of its own, as a user would start it. */
export class DemoProcess {
  readonly dataDir: string
  readonly child: ChildProcess
  readonly #out: string[] = []
  readonly #err: string[] = []
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>

  constructor(dataDir: string, args: readonly string[], { nodeArgs = [], env = {} }: NodeOptions = {}) {
    this.dataDir = dataDir
    this.child = spawn(
      process.execPath,
      [...nodeArgs, main, 'demo', '--data-dir', dataDir, '--port', '0', ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...env }
      }
    )
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

  /** Waits until `fact` yields something; fails with what the demo said when it ends or takes too long. */
  async until<T>(
    what: string,
    fact: () => T | undefined | Promise<T | undefined>,
    timeoutMs = 60_000
  ): Promise<T> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const found = await fact()
      if (found !== undefined) return found
      if (!this.running) throw new Error(`the demo ended before ${what}:\n${this.said()}`)
      if (Date.now() > deadline) throw new Error(`${what} took more than ${timeoutMs} ms:\n${this.said()}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** The final report, printed with `--json` once everything has arrived. */
  report(timeoutMs = 120_000): Promise<DemoReport> {
    return this.until('its report', () => this.lastReport(), timeoutMs)
  }

  lastReport(): DemoReport | undefined {
    const line = this.stdout
      .split('\n')
      .filter((text) => text.startsWith('{"ingested"') && text.endsWith('}'))
      .at(-1)
    return line === undefined ? undefined : (JSON.parse(line) as DemoReport)
  }

  endpoints(): Endpoints {
    return JSON.parse(readFileSync(join(this.dataDir, 'endpoints.json'), 'utf8')) as Endpoints
  }

  kill(): void {
    this.child.kill('SIGKILL')
  }

  /** Kills the demo, if it still runs, and waits until it is gone. */
  async end(): Promise<void> {
    this.kill()
    await this.exited
  }

  /** Ends the demo as an operator does, and returns its exit code. */
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

/** A temporary data directory whose PostgreSQL is ended, and whose files are removed, whatever happened to the demo. */
export function temporaryDataDir(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'causeway-e2e-'))
  return {
    path,
    remove: () => {
      endOrphan(path)
      rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    }
  }
}

/** A demo that was killed leaves its PostgreSQL behind for a moment; the files go only when it has ended. */
function endOrphan(dataDir: string): void {
  const file = join(dataDir, 'warehouse/cluster/postmaster.pid')
  if (!existsSync(file)) return
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0])
  const cmdline = `/proc/${pid}/cmdline`
  if (existsSync(cmdline) && readFileSync(cmdline, 'utf8').includes(dataDir)) process.kill(pid, 'SIGQUIT')
}
