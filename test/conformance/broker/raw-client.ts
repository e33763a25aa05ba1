import { connect, type Socket } from 'node:net'
import { FrameReader } from '../../../src/embedded/broker/frames.ts'
import { Reader, Writer } from '../../../src/embedded/broker/wire.ts'

/** A request of any API, byte for byte as a test wants it. */
export interface RawRequest<Response> {
  readonly key: number
  readonly version: number
  readonly flexible?: boolean
  readonly encode: (writer: Writer) => void
  readonly decode: (reader: Reader) => Response
}

/** One connection that sends what it is told and checks nothing, so that a broker's refusals can be seen. */
export class RawClient {
  readonly #socket: Socket
  readonly #waiting = new Map<number, (body: Buffer) => void>()
  #correlation = 0
  readonly closed: Promise<void>

  private constructor(socket: Socket) {
    this.#socket = socket
    const frames = new FrameReader((frame) => {
      const waiting = this.#waiting.get(frame.readInt32BE(0))
      this.#waiting.delete(frame.readInt32BE(0))
      waiting?.(Buffer.from(frame.subarray(4)))
    })
    socket.on('data', (chunk) => frames.push(chunk))
    socket.on('error', () => socket.destroy())
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
  }

  static connect(address: string): Promise<RawClient> {
    const [host, port] = address.split(':')
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), host)
      socket.once('connect', () => resolve(new RawClient(socket)))
      socket.once('error', reject)
    })
  }

  /** Rejects when the connection ends before the answer. */
  call<Response>({
    key,
    version,
    flexible = false,
    encode,
    decode
  }: RawRequest<Response>): Promise<Response> {
    const correlation = ++this.#correlation
    const body = new Writer(flexible)
    encode(body)
    const parts = body.tags().finish()
    const header = new Writer(false).int16(key).int16(version).int32(correlation).string('raw').finish()
    const all = Buffer.concat([...header, ...(flexible ? [Buffer.alloc(1)] : []), ...parts])
    const length = Buffer.alloc(4)
    length.writeInt32BE(all.length)
    return new Promise((resolve, reject) => {
      this.#waiting.set(correlation, (bytes) =>
        resolve(decode(new Reader(bytes, flexible, flexible ? 1 : 0)))
      )
      void this.closed.then(() => reject(new Error('the connection was closed')))
      this.#socket.write(Buffer.concat([length, all]))
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
