import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { demoSeed } from '../../src/demo/services.ts'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import { checkRoad, expectFlawless } from '../e2e/check-road.ts'
import { DemoProcess, temporaryDataDir } from '../e2e/demo-process.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython } from '../tools/python.ts'
import { hasKafka, oldestKafka, type RealKafka, startKafka } from './kafka.ts'
import { createTopics, expectSame, feed, kafkajs, MirrorProcess } from './kafka-mirror.ts'

const defer = cleanups()

describe.skipIf(!hasKafka || !hasPython)(`Apache Kafka ${oldestKafka}`, () => {
  let old: RealKafka
  let second: RealKafka
  beforeAll(async () => {
    const security = { users: { causeway: 'secret' } }
    old = await startKafka({}, { version: oldestKafka, security })
    second = await startKafka({}, { version: oldestKafka })
  })
  afterAll(() => Promise.all([old?.stop(), second?.stop()]))

  test('the five roles carry every event over two clusters, once, unchanged and in order', {
    timeout: 280_000
  }, async () => {
    const events = 10_000
    const directory = temporaryDataDir()
    defer(() => directory.remove())
    const where = ['--source-brokers', old.brokers.join(), '--target-brokers', second.brokers.join()]
    const demo = new DemoProcess(directory.path, ['--events', String(events), '--json', ...where])
    defer(() => demo.end())
    expect(await demo.report()).toMatchObject({ ingested: events, duplicates: 0, missing: 0, outOfOrder: 0 })
    const payloads = Array.from({ length: events }, (_, index) => tweetAt(demoSeed, index).json)
    expectFlawless(await checkRoad(directory.path, payloads), events)
    expect(await demo.stop(), demo.said()).toBe(0)
  })

  test('mirrors between it and 4.1.1, in both directions, while it is killed and comes back', {
    timeout: 280_000
  }, async () => {
    const current = await startKafka()
    defer(() => current.stop())
    const [before, now] = [kafkajs(old.direct), kafkajs(current.direct)]
    await createTopics(before, [{ topic: 'up', numPartitions: 4, replicationFactor: 1 }])
    await createTopics(now, [{ topic: 'down', numPartitions: 4, replicationFactor: 1 }])
    const mirror = MirrorProcess.start(
      `
[cluster.old]
brokers = ["${old.node.secure?.saslSsl}"]
tls.ca = "${old.certificates?.ca}"
sasl = { mechanism = "scram-sha-512", username = "causeway", password = "\${env:PASSWORD}" }
[cluster.current]
brokers = ${JSON.stringify(current.brokers)}
[mirror.up]
from = "old"
to = "current"
topics = ["up"]
[mirror.down]
from = "current"
to = "old"
topics = ["down"]
`,
      { PASSWORD: 'secret' }
    )
    defer(() => mirror.remove())
    const [fromOld, fromCurrent] = [old, current].map(({ direct }) => ({
      'bootstrap.servers': direct.join()
    }))
    if (fromOld === undefined || fromCurrent === undefined) throw new Error('two clusters, two addresses')
    const rate = { records: 3_000, seconds: 15 }
    const feeding = Promise.all([feed(fromOld, 'up', rate), feed(fromCurrent, 'down', rate)])
    feeding.catch(() => {})
    await mirror.worker.until('some of it was copied', async () => {
      const roles = (await mirror.state())?.roles ?? []
      return roles.length > 1 && roles.every(({ counters }) => (counters.recordsWritten ?? 0) > 0)
        ? true
        : undefined
    })
    const notes = (await mirror.state())?.roles.flatMap((role) => role.notes)
    const unverified =
      'cluster old is older than Kafka 3.6 and does not verify transactions: a batch that arrives late may leave a transaction open that nobody ends'
    expect(notes).toEqual([unverified])
    await old.restart()
    const [up, down] = await feeding
    await Promise.all([mirror.copied(before, ['up']), mirror.copied(now, ['down'])])
    expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
    await expectSame(fromOld, fromCurrent, { up })
    await expectSame(fromCurrent, fromOld, { down })
  })
})
