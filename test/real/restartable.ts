import { type Service, type ServiceCommand, startService } from '../tools/service.ts'

/** A service whose process can be ended, frozen, and started again with the same command. */
export class Restartable {
  readonly #command: ServiceCommand
  #service: Service | undefined

  constructor(command: ServiceCommand) {
    this.#command = command
  }

  /** Resolves when the service is ready. */
  async start(): Promise<void> {
    await this.#service?.stop()
    this.#service = await startService(this.#command)
  }

  /** `SIGTERM`, and `SIGKILL` for a process that does not go. */
  async stop(): Promise<void> {
    await this.#service?.stop()
    this.#service = undefined
  }

  /** `SIGKILL`; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#service?.kill()
    this.#service = undefined
  }

  /** The process stands still and keeps its sockets open. */
  freeze(): void {
    this.#service?.signal('SIGSTOP')
  }

  thaw(): void {
    this.#service?.signal('SIGCONT')
  }

  get pid(): number {
    return this.#service?.pid ?? -1
  }

  /** What the process printed last. */
  printed(): string {
    return this.#service?.printed() ?? ''
  }
}
