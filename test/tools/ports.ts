import { createServer } from 'node:net'

/** Below the ports that Linux and macOS hand out to outgoing connections. */
const FIRST = 10_000
const LAST = 32_000

/**
 * Ports of loopback for services that die and come back on the same port: none that the system lends to an outgoing
 * connection meanwhile, not even to a client that connects to the dead port and so to itself.
 */
export async function lastingPorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
