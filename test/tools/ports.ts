import { createServer } from 'node:net'

/** Below the ports that Linux and macOS lend to outgoing connections. Test processes that run at once share them. */
const FIRST = 10_000
const SLICE = 700
const SLICES = 31

const first = FIRST + (process.pid % SLICES) * SLICE
let given = Math.floor(Math.random() * SLICE)

/**
 * Ports of loopback for services that die and come back on the same port: none that the system lends to an outgoing
 * connection meanwhile, not even to a client that connects to the dead port and so to itself.
 */
export async function lastingPorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = first + (given++ % SLICE)
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
