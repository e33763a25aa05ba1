import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * `hold`: bytes wait. `drop`: the connection ends before they are passed on. `pass`: as usual. Other bytes go in their
 * place.
 */
export type Verdict = 'pass' | 'hold' | 'drop' | Buffer

/** A TCP proxy before a server, with a say about every chunk of bytes. */
export class TcpProxy {
  /** Judges bytes on their way to the server. */
  onRequest: (bytes: Buffer) => Verdict = () => 'pass'
  /** Judges bytes on their way back. */
  onReply: (bytes: Buffer) => Verdict = () => 'pass'
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      const target = connect({ port: targetPort, host: '127.0.0.1' })
      this.#pipe(client, target, (bytes) => this.onRequest(bytes))
      this.#pipe(target, client, (bytes) => this.onReply(bytes))
    })
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort)
    proxy.#server.listen({ port: 0, host: '127.0.0.1' })
    await once(proxy.#server, 'listening')
    return proxy
  }

  /** The same URL, through the proxy. */
  urlFor(url: string): string {
    const address = this.#server.address()
    const through = new URL(url)
    through.port = String(typeof address === 'object' ? address?.port : '')
    return through.href
  }

  reset(): void {
    this.onRequest = () => 'pass'
    this.onReply = () => 'pass'
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #pipe(from: Socket, to: Socket, judge: (bytes: Buffer) => Verdict): void {
    this.#sockets.add(from)
    from.on('data', (bytes) => {
      const verdict = judge(bytes)
      if (verdict === 'pass') to.write(bytes)
      else if (typeof verdict !== 'string') to.write(verdict)
      if (verdict !== 'drop') return
      from.destroy()
      to.destroy()
    })
    from.on('error', () => {})
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
  }
}
