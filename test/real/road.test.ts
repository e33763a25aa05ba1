import { describe, expect, test } from 'vitest'
import { demoSeed } from '../../src/demo/services.ts'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import { checkRoad, expectFlawless } from '../e2e/check-road.ts'
import { DemoProcess, temporaryDataDir } from '../e2e/demo-process.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython } from '../tools/python.ts'
import { hasKafka, startKafka } from './kafka.ts'

const defer = cleanups()

describe.skipIf(!hasKafka || !hasPython)('Apache Kafka 4.1.1', () => {
  test('the five roles carry every event over two real clusters, once, unchanged and in order', {
    timeout: 280_000
  }, async () => {
    const events = 10_000
    const [source, target] = await Promise.all([startKafka(), startKafka()])
    defer(() => Promise.all([source.stop(), target.stop()]))
    const directory = temporaryDataDir()
    defer(() => directory.remove())
    const demo = new DemoProcess(directory.path, [
      '--events',
      String(events),
      '--json',
      '--source-brokers',
      source.brokers.join(','),
      '--target-brokers',
      target.brokers.join(',')
    ])
    defer(() => demo.end())
    expect(await demo.report()).toMatchObject({ ingested: events, duplicates: 0, missing: 0, outOfOrder: 0 })
    const payloads = Array.from({ length: events }, (_, index) => tweetAt(demoSeed, index).json)
    expectFlawless(await checkRoad(directory.path, payloads), events)
    expect(await demo.stop(), demo.said()).toBe(0)
  })
})
