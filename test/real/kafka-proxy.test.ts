import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { cleanups } from '../tools/cleanup.ts'
import type { ProxyRule } from '../tools/proxy.ts'
import { hasPython } from '../tools/python.ts'
import { hasKafka, startKafka } from './kafka.ts'
import { createTopics, expectSame, feed, kafkajs, MirrorProcess } from './kafka-mirror.ts'

const defer = cleanups()
const rate = { records: 2_000, seconds: 10 }

type Fault = readonly [side: 'source' | 'target', ...rules: ProxyRule[]]

/** Each meets the mirror's requests to one side, once or twice. */
const faults: readonly Fault[] = [
  ['target', { fault: 'lose-reply', match: /^EndTxn$/, times: 1 }],
  ['target', { fault: 'fail-before', match: /^EndTxn$/, times: 1 }],
  ['target', { fault: 'lose-reply', match: /^Produce$/, skip: 3, times: 2 }],
  ['target', { fault: 'lose-reply', match: /^AddPartitionsToTxn$/, times: 1 }],
  [
    'target',
    // Fencing comes after something else went wrong.
    { fault: 'reset', match: /^Produce$/, times: 1 },
    { fault: 'lose-reply', match: /^InitProducerId$/, times: 1 }
  ],
  ['target', { fault: 'reset', match: /^Produce$/, skip: 5, times: 1 }],
  ['target', { fault: { delayMs: 1_500 }, match: /^Produce$/, times: 2 }],
  ['target', { fault: 'hang', match: /^EndTxn$/, times: 1 }],
  ['target', { fault: 'hang', match: /^Produce$/, times: 1 }],
  ['source', { fault: 'hang', match: /^Fetch$/, times: 1 }],
  ['source', { fault: 'lose-reply', match: /^Fetch$/, times: 2 }],
  ['source', { fault: 'fail-before', match: /^Heartbeat$/, times: 1 }],
  ['source', { fault: 'hang', match: /^Heartbeat$/, times: 1 }]
]

/** Each meets the next connections, after those that are open now are cut. */
const connectionFaults: readonly Fault[] = [
  ['target', { fault: 'refuse', times: 3 }],
  ['source', { fault: 'refuse', times: 3 }],
  ['source', { fault: { cut: { downAfter: 20_000 } }, times: 1 }],
  ['target', { fault: { cut: { upAfter: 1_000 } }, times: 2 }],
  ['target', { fault: 'hang', at: 'connection', times: 1 }]
]

describe.skipIf(!hasKafka || !hasPython)('Apache Kafka 4.1.1 behind proxies', () => {
  test('whatever becomes of requests and connections, a mirror loses and repeats nothing', {
    timeout: 280_000
  }, async () => {
    const options = { proxied: true }
    const [source, target] = await Promise.all([startKafka({}, options), startKafka({}, options)])
    defer(() => Promise.all([source.stop(), target.stop()]))
    await createTopics(kafkajs(source.direct), [{ topic: 't', numPartitions: 4, replicationFactor: 1 }])
    const mirror = MirrorProcess.start(`
cluster.source = { brokers = ${JSON.stringify(source.brokers)}, request_timeout = "2s" }
cluster.target = { brokers = ${JSON.stringify(target.brokers)}, request_timeout = "2s", connect_timeout = "2s" }
mirror.m = { from = "source", to = "target", topics = ["t"], quarantine_max = "2s", commit_interval = "200ms" }
`)
    defer(() => mirror.remove())
    const [from, to] = [source, target].map(({ direct }) => ({ 'bootstrap.servers': direct.join() }))
    if (from === undefined || to === undefined) throw new Error('two clusters, two addresses')
    const enough = join(mirror.directory, 'enough')
    const feeding = feed(from, 't', { ...rate, until: enough })
    feeding.catch(() => {})
    const copied = async () =>
      (await mirror.state())?.roles.reduce((sum, { counters }) => sum + (counters.recordsWritten ?? 0), 0) ??
      0
    const goesOn = async (what: string) => {
      const before = await copied()
      await mirror.worker.until(`records went on after ${what}`, async () =>
        (await copied()) > before ? true : undefined
      )
    }
    await goesOn('the start')
    for (const fault of [...faults, ...connectionFaults]) {
      const [side, ...rules] = fault
      const what = `${side}: ${rules.map((rule) => `${JSON.stringify(rule.fault)} ${rule.match ?? ''}`)}`
      const proxy = (side === 'source' ? source : target).node.proxy
      const set = rules.map((rule) => proxy?.set(rule))
      if (connectionFaults.includes(fault)) proxy?.cut()
      const areMet = () => rules.every(({ times }, index) => set[index]?.hits === times)
      await mirror.worker.until(`${what} was met`, () => (areMet() ? true : undefined))
      await goesOn(what)
      for (const one of set) one?.remove()
    }
    writeFileSync(enough, '')
    const records = await feeding
    await mirror.copied(kafkajs(source.direct), ['t'])
    expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
    await expectSame(from, to, { t: records })
  })
})
