/**
 * A bare TCP relay: what comes from one socket goes to another, in reused buffers and without a copy in JavaScript. It is
 * the limit for whatever carries bytes in user space. Arguments: port to read from, port to write to.
 */
import net from 'node:net'

const [from, to] = process.argv.slice(2).map(Number)
const BUFFER_BYTES = 1_024 * 1_024
const BUFFERS = 3
const HOST = '127.0.0.1'

const free: Uint8Array[] = Array.from({ length: BUFFERS }, () => Buffer.allocUnsafeSlow(BUFFER_BYTES))

const target = net.connect({ host: HOST, port: to ?? -1 })
const source = net.connect({
  host: HOST,
  port: from ?? -1,
  onread: {
    buffer: () => free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES),
    callback: (bytes, full) => {
      target.write(full.subarray(0, bytes), () => {
        free.push(full)
        source.resume()
      })
      // The last free buffer is for the next read; there is none after that before a write has ended.
      return free.length > 1
    }
  }
})
source.on('end', () => target.end())
