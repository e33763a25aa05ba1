import { createServer, type Server, type Socket } from 'node:net'
import { Fault } from '../../errors.ts'

/** One node's port and the connections to it. It can be closed and opened again on the same port. */
export class Listener {
  readonly host: string
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #port: number
  /** Set before the first connection can come. */
  #serve: (socket: Socket) => void = (socket) => socket.destroy()

  /** @param port 0 takes any free one, and then keeps it */
  constructor(host: string, port: number) {
    this.host = host
    this.#port = port
  }

  get port(): number {
    return this.#port
  }

  get isOpen(): boolean {
    return this.#server !== undefined
  }

  /** Throws `port-in-use`, `listen-failed`. */
  async open(): Promise<void> {
    const { host } = this
    const server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      this.#serve(socket)
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const inUse = cause.code === 'EADDRINUSE'
        const message = `the embedded broker cannot listen on ${host}:${this.#port}: ${cause.message}`
        reject(new Fault(inUse ? 'port-in-use' : 'listen-failed', message, { cause }))
      })
      server.listen(this.#port, host, resolve)
    })
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Fault('listen-failed', 'not a TCP address')
    this.#port = address.port
    this.#server = server
  }

  onConnection(serve: (socket: Socket) => void): void {
    this.#serve = serve
  }

  /** Drops all connections at once; resolves when the port is free. */
  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    for (const socket of this.#sockets) socket.destroy()
    if (server) await new Promise((resolve) => server.close(resolve))
  }
}
