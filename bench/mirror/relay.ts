import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePorts } from '../../test/tools/service.ts'
import { Program } from '../lib/program.ts'
import { python } from '../lib/python.ts'

/** What it costs to carry so many bytes from one socket to another, and nothing else. */
export interface Relayed {
  readonly cpuSeconds: number
  readonly seconds: number
  readonly peakBytes: number
}

const LIMITS = { everyMs: 5, timeoutMs: 120_000 }
const program = join(import.meta.dirname, 'peers/relay.ts')
/** By then it has loaded what it needs. */
const REST_MS = 1_000

/** @param bytes as the topic has them on its source */
export async function relay(bytes: number): Promise<Relayed> {
  const [from = -1, to = -1] = await freePorts(2)
  const ends = new Program(await python('mirror/python/relay_ends.py', [from, to, bytes].map(String)))
  const until = (what: string) =>
    ends.until(what, () => (ends.printed.includes(what) ? true : undefined), LIMITS)
  let relay: Program | undefined
  try {
    await until('listening')
    relay = new Program({ command: process.execPath, args: [program, String(from), String(to)] })
    await until('connected')
    await pause(REST_MS)
    const before = relay.tree.usage().cpuSeconds
    const startedAt = performance.now()
    ends.tell('send')
    await until('received')
    const seconds = (performance.now() - startedAt) / 1_000
    const { cpuSeconds, peakBytes } = relay.tree.usage()
    return { cpuSeconds: cpuSeconds - before, seconds, peakBytes }
  } finally {
    await relay?.stop()
    await ends.stop()
  }
}
