import { setTimeout as delay } from 'node:timers/promises'
import { isLagging } from '../support/worker-state.ts'
import { type HttpAnswer, type ProxyRule, slowDown } from '../tools/proxy.ts'
import type { SoakRoad } from './road.ts'
import type { Proxies } from './services.ts'

/** One way to torture a road. */
export interface Disturbance {
  readonly name: string
  /** Does it once and waits until the road has recovered; whether it met what it aimed at, and how long that took. */
  readonly run: (road: SoakRoad, random: () => number) => Promise<Outcome>
}

export interface Outcome {
  /** For example records in flight when a process was killed, or a request that a rule met. */
  readonly met: boolean
  /** Until every role had carried something new again. */
  readonly recoveredMs: number
  /** What exactly was done. */
  readonly what: string
}

const IN_FLIGHT_MS_MAX = 1_500
const DOWN_MS = { min: 300, max: 4_000 }
const MEETING_MS_MAX = 20_000

/** The worker is killed at a random moment and started again; recovery counts from the start. */
export const killWorker: Disturbance = {
  name: 'kill -9 of the worker',
  run: async (road, random) => {
    await delay(random() * IN_FLIGHT_MS_MAX)
    const state = await road.state()
    await road.worker.end()
    road.start()
    return { met: state !== undefined && isLagging(state), recoveredMs: await road.flowing(), what: 'worker' }
  }
}

export const killBroker: Disturbance = {
  name: 'kill -9 of a Kafka broker',
  run: async (road, random) => {
    const which = random() < 0.5 ? 'source' : 'target'
    return await downAndUp(road, random, `Kafka, ${which}`, road.services[which])
  }
}

export const killDataNode: Disturbance = {
  name: 'kill -9 of the DataNode',
  run: async (road, random) => {
    const node = road.services.hdfs.dataNodes[0]
    if (node === undefined) throw new Error('HDFS has no DataNode')
    const service = { kill: () => node.process.kill(), restart: () => node.process.start() }
    return await downAndUp(road, random, 'DataNode', service)
  }
}

interface Mortal {
  kill(): Promise<void>
  restart(): Promise<void>
}

async function downAndUp(
  road: SoakRoad,
  random: () => number,
  what: string,
  service: Mortal
): Promise<Outcome> {
  const state = await road.state()
  await service.kill()
  const downMs = DOWN_MS.min + random() * (DOWN_MS.max - DOWN_MS.min)
  await delay(downMs)
  await service.restart()
  const recoveredMs = await recovery(road, what)
  return {
    met: state !== undefined && isLagging(state),
    recoveredMs,
    what: `${what}, ${Math.round(downMs)} ms`
  }
}

async function recovery(road: SoakRoad, what: string): Promise<number> {
  const from = performance.now()
  await road.progress(what)
  return performance.now() - from
}

type Place = keyof Proxies

/** Kafka's requests on whose outcome something hangs. */
const KAFKA_REQUESTS = [
  ...['Produce', 'Fetch', 'EndTxn', 'AddPartitionsToTxn', 'Metadata', 'Heartbeat'],
  ...['ListOffsets']
] as const

interface Aim {
  readonly place: Place
  readonly rule: ProxyRule
  /** Connections that are open now are cut, so that the rule meets their successors. */
  readonly cut?: boolean
}

function byProxy(name: string, aim: (random: () => number) => Aim): Disturbance {
  return {
    name,
    run: async (road, random) => {
      const { place, rule, cut = false } = aim(random)
      const proxy = road.services.proxies[place]
      const set = proxy.set(rule)
      if (cut) proxy.cut()
      const met = await untilMet(() => set.hits >= (rule.times ?? 1))
      set.remove()
      const what = `${place} ${rule.match?.source ?? ''}`.trim()
      return { met, recoveredMs: await recovery(road, `${name}: ${what}`), what }
    }
  }
}

async function untilMet(met: () => boolean): Promise<boolean> {
  const deadline = Date.now() + MEETING_MS_MAX
  while (!met() && Date.now() < deadline) await delay(20)
  return met()
}

const choose = <T>(values: readonly T[], random: () => number): T => {
  const value = values[Math.floor(random() * values.length)]
  if (value === undefined) throw new Error('there is nothing to choose from')
  return value
}

/** A request of Kafka, HDFS, S3 or PostgreSQL, by chance. */
function anyRequest(fault: ProxyRule['fault'], random: () => number): Aim {
  const place = choose<Place>(['source', 'target', 'source', 'target', 'hdfs', 's3', 'warehouse'], random)
  const times = 1 + Math.floor(random() * 2)
  if (place !== 'source' && place !== 'target') return { place, rule: { fault, times } }
  return { place, rule: { fault, times, match: new RegExp(`^${choose(KAFKA_REQUESTS, random)}$`) } }
}

function anyConnection(fault: ProxyRule['fault'], random: () => number): Aim {
  const place = choose<Place>(['source', 'target', 'hdfs', 's3', 'warehouse', 'stream'], random)
  return { place, rule: { fault, times: 2, at: 'connection' }, cut: true }
}

const xml = (code: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>By rule.</Message></Error>`
const unavailable: HttpAnswer = { status: 503 }
const tooMany: HttpAnswer = {
  status: 429,
  headers: { 'content-type': 'application/xml' },
  body: xml('SlowDown')
}
const expired: HttpAnswer = {
  status: 400,
  headers: { 'content-type': 'application/xml' },
  body: xml('ExpiredToken')
}

/** Each kind of fault that a network or an overloaded service shows. */
export const proxyFaults: readonly Disturbance[] = [
  byProxy('connections refused', (random) => anyConnection('refuse', random)),
  byProxy('connections cut after some bytes', (random) =>
    anyConnection({ cut: { upAfter: Math.floor(random() * 20_000), downAfter: 20_000 } }, random)
  ),
  byProxy('connections reset', (random) => ({
    ...anyRequest('pass', random),
    cut: true
  })),
  byProxy('requests failed before their effect', (random) => anyRequest('fail-before', random)),
  byProxy('requests cut in the middle (reset)', (random) => anyRequest('reset', random)),
  byProxy('replies lost', (random) => anyRequest('lose-reply', random)),
  byProxy('requests delayed', (random) => anyRequest({ delayMs: 500 + random() * 3_000 }, random)),
  byProxy('connections hang, half open', (random) => anyRequest('hang', random)),
  byProxy('503', (random) => ({
    place: choose<Place>(['hdfs', 's3'], random),
    rule: { fault: { answer: unavailable }, times: 3 }
  })),
  byProxy('429', () => ({ place: 's3', rule: { fault: { answer: tooMany }, times: 3 } })),
  byProxy('503 SlowDown', () => ({ place: 's3', rule: { fault: { answer: slowDown }, times: 3 } })),
  byProxy('tokens expire', (random) =>
    random() < 0.5
      ? { place: 's3', rule: { fault: { answer: expired }, times: 1 } }
      : { place: 'stream', rule: { fault: { answer: { status: 401 } }, times: 1 }, cut: true }
  )
]

/** All kinds, with how often each is done at least in a full run. */
export function fullPlan(): readonly { readonly disturbance: Disturbance; readonly times: number }[] {
  return [
    { disturbance: killWorker, times: 100 },
    { disturbance: killBroker, times: 10 },
    { disturbance: killDataNode, times: 10 },
    ...proxyFaults.map((disturbance) => ({ disturbance, times: 10 }))
  ]
}
