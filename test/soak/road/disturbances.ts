import { setTimeout as delay } from 'node:timers/promises'
import { isLagging } from '../../support/worker-state.ts'
import { type HttpAnswer, type ProxyRule, slowDown } from '../../tools/proxy.ts'
import { choose, type Disturbance, hasMet, type Outcome } from '../torture.ts'
import type { SoakRoad } from './road.ts'
import type { Proxies } from './services.ts'

type RoadDisturbance = Disturbance<SoakRoad>

const IN_FLIGHT_MS_MAX = 1_500
const DOWN_MS = { min: 300, max: 4_000 }

/** The worker is killed at a random moment and started again; recovery counts from the start. */
const killWorker: RoadDisturbance = {
  name: 'kill -9 of the worker',
  times: 100,
  run: async (road, random) => {
    await delay(random() * IN_FLIGHT_MS_MAX)
    const state = await road.state()
    await road.worker.end()
    road.start()
    return { met: state !== undefined && isLagging(state), recoveredMs: await road.flowing(), what: 'worker' }
  }
}

const killBroker: RoadDisturbance = {
  name: 'kill -9 of a Kafka broker',
  times: 10,
  run: async (road, random) => {
    const which = random() < 0.5 ? 'source' : 'target'
    return await downAndUp(road, random, `Kafka, ${which}`, road.services[which])
  }
}

const killDataNode: RoadDisturbance = {
  name: 'kill -9 of the DataNode',
  times: 10,
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

function byProxy(name: string, aim: (random: () => number) => Aim): RoadDisturbance {
  return {
    name,
    times: 10,
    run: async (road, random) => {
      const { place, rule, cut = false } = aim(random)
      const proxy = road.services.proxies[place]
      const set = proxy.set(rule)
      if (cut) proxy.cut()
      const met = await hasMet(() => set.hits >= (rule.times ?? 1))
      set.remove()
      const what = `${place} ${rule.match?.source ?? ''}`.trim()
      return { met, recoveredMs: await recovery(road, `${name}: ${what}`), what }
    }
  }
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
const proxyFaults: readonly RoadDisturbance[] = [
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

export const disturbances: readonly RoadDisturbance[] = [killWorker, killBroker, killDataNode, ...proxyFaults]
