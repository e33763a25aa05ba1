import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython } from '../tools/python.ts'
import { hasKafka, type RealKafka, startKafka } from './kafka.ts'
import { createTopics, expectSame, feed, kafkajs, MirrorProcess } from './kafka-mirror.ts'

const defer = cleanups()

describe.skipIf(!hasKafka || !hasPython)('lanes of a mirror on real brokers', () => {
  let source: RealKafka
  let target: RealKafka
  beforeAll(async () => {
    ;[source, target] = await Promise.all([startKafka(), startKafka()])
  })
  afterAll(() => Promise.all([source?.stop(), target?.stop()]))

  const properties = ({ direct }: RealKafka) => ({ 'bootstrap.servers': direct.join() })

  function start(): MirrorProcess {
    const clusters = [source, target].map(
      ({ direct }, index) => `[cluster.c${index}]\nbrokers = ${JSON.stringify(direct)}\n`
    )
    const mirror = MirrorProcess.start(
      `${clusters.join('')}[mirror.m]\nfrom = "c0"\nto = "c1"\ntopics = ["lanes-.*"]\nshards = 8\nlanes = 2\ncommit_interval = "100ms"\nsession_timeout = "6s"\n`
    )
    defer(() => mirror.remove())
    return mirror
  }

  test('copy everything once, although their process is killed while they do', async () => {
    const topics = ['lanes-a', 'lanes-b']
    await createTopics(
      kafkajs(source.direct),
      topics.map((topic) => ({ topic, numPartitions: 4, replicationFactor: 1 }))
    )
    const feeding: Promise<unknown>[] = []
    const feedOn = () => {
      for (const topic of topics)
        feeding.push(feed(properties(source), topic, { records: 2_000, seconds: 4 }))
    }
    for (let kill = 0; kill < 2; kill++) {
      const mirror = start()
      const written = async () => {
        const state = await mirror.state()
        return (state?.roles[0]?.counters.recordsWritten ?? 0) > 0 ? true : undefined
      }
      feedOn()
      await mirror.worker.until('something is copied', written)
      await mirror.worker.end()
    }
    const last = start()
    feedOn()
    await Promise.all(feeding)
    await last.copied(kafkajs(source.direct), topics)
    expect(await last.worker.stop(), last.worker.said()).toBe(0)
    await expectSame(properties(source), properties(target), { 'lanes-a': 6_000, 'lanes-b': 6_000 })
  })
})
