import { readFileSync } from 'node:fs'
import { CausewayProcess } from '../support/causeway-process.ts'
import { fetchState, type WorkerState } from '../support/worker-state.ts'

/** A worker that dies and comes back, on one config and data directory. */
export class SoakWorker {
  readonly name: string
  readonly #program: readonly string[]
  readonly #config: string
  readonly #url: string
  readonly #roles: string
  #process: CausewayProcess
  #stands = false

  /** @param roles as `--role` takes them */
  constructor(name: string, program: readonly string[], config: string, roles: string) {
    this.name = name
    this.#program = program
    this.#config = config
    this.#roles = roles
    this.#url = `http://${/listen = "([^"]+)"/.exec(readFileSync(config, 'utf8'))?.[1]}`
    this.#process = this.#spawn()
  }

  get isRunning(): boolean {
    return this.#process.running
  }

  /** `undefined` while it does not answer, or stands still. */
  async state(): Promise<WorkerState | undefined> {
    return this.#stands ? undefined : fetchState(this.#url)
  }

  /** `SIGKILL`, and the next life at once. */
  async killAndStart(): Promise<void> {
    await this.#process.end()
    this.#process = this.#spawn()
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#stands = signal === 'SIGSTOP'
    this.#process.child.kill(signal)
  }

  /** As an operator does; the exit code. */
  stop(): Promise<number | null> {
    return this.#process.stop()
  }

  end(): Promise<void> {
    return this.#process.end()
  }

  said(): string {
    return `worker ${this.name}: ${this.#process.said()}`
  }

  #spawn(): CausewayProcess {
    return new CausewayProcess(['run', '--role', this.#roles, '--config', this.#config], {
      program: this.#program
    })
  }
}
