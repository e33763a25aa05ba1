import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigResourceTypes, type ITopicConfig } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython, pythonTool } from '../tools/python.ts'
import { hasKafka, newestKafka, oldestKafka, type RealKafka, startKafka } from './kafka.ts'
import { createTopics, expectSame, kafkajs, MirrorProcess, type Properties } from './kafka-mirror.ts'

/**
 * What a copy keeps, of every kind of record and batch that real brokers hold: `feed_kinds.py` writes them,
 * `compare_topics.py` and `latest_values.py` read both sides, all by librdkafka, which checks the checksums.
 */
const defer = cleanups()

/** A cleaner that looks twice a second. */
const cleaning = { 'log.cleaner.backoff.ms': '500', 'log.initial.task.delay.ms': '500' }
const propertiesOf = (kafka: RealKafka): Properties => ({ 'bootstrap.servers': kafka.direct.join() })

describe.skipIf(!hasKafka || !hasPython).each([newestKafka, oldestKafka])(
  'copies from Apache Kafka %s',
  (version) => {
    let source: RealKafka
    let target: RealKafka
    beforeAll(async () => {
      ;[source, target] = await Promise.all([startKafka(cleaning, { version }), startKafka(cleaning)])
    })
    afterAll(async () => {
      await Promise.all([source?.stop(), target?.stop()])
    })

    const create = (kafka: RealKafka, topic: string, settings: Record<string, string> = {}, partitions = 4) =>
      createTopics(kafkajs(kafka.direct), [topicOf(topic, settings, partitions)])

    async function feedKinds(...topics: string[]): Promise<Record<string, number>> {
      return JSON.parse(await pythonTool('feed_kinds.py', [JSON.stringify(propertiesOf(source)), ...topics]))
    }

    /** A mirror of these topics, once it has copied all that they hold. */
    async function copied(topics: readonly string[], more = ''): Promise<MirrorProcess> {
      const clusters = `[cluster.onprem]\nbrokers = ${JSON.stringify(source.brokers)}\n[cluster.aws]\nbrokers = ${JSON.stringify(target.brokers)}\n`
      const named = topics[0]?.replaceAll(/[^a-z]/g, '')
      const section = `[mirror.${named}]\nfrom = "onprem"\nto = "aws"\nrefresh_interval = "1s"\nshards = 4\ntopics = ${JSON.stringify(topics)}\n${more}\n`
      const mirror = MirrorProcess.start(`${clusters}${section}`)
      defer(() => mirror.remove())
      await mirror.copied(kafkajs(source.direct), topics)
      return mirror
    }

    async function stopped(mirror: MirrorProcess): Promise<void> {
      expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
    }

    test('all codecs, all shapes of records, tiny batches and large ones, and topics without any record', async () => {
      const kinds = ['codecs', 'tiny', 'large', 'empty']
      for (const kind of kinds) await create(source, kind)
      const written = await feedKinds('codecs', 'tiny', 'large')
      const mirror = await copied(kinds)
      await stopped(mirror)
      await expectSame(propertiesOf(source), propertiesOf(target), { ...written, empty: 0 })
    })

    test('what transactions committed, interleaved with aborted ones and with records of nobody’s', async () => {
      await create(source, 'transactions')
      const written = await feedKinds('transactions')
      const mirror = await copied(['transactions'])
      await stopped(mirror)
      await expectSame(propertiesOf(source), propertiesOf(target), written)
    })

    test('the times that the source’s broker has stamped', async () => {
      await create(source, 'stamped', { 'message.timestamp.type': 'LogAppendTime' })
      const written = await feedKinds('stamped')
      const mirror = await copied(['stamped'])
      await stopped(mirror)
      await expectSame(propertiesOf(source), propertiesOf(target), written)
    })

    test('batches above the target’s limit, in parts', async () => {
      await create(source, 'cut', {}, 1)
      await create(target, 'cut', { 'max.message.bytes': '1500' }, 1)
      const written = await feedKinds('cut')
      const mirror = await copied(['cut'], 'sync_configs = false')
      await stopped(mirror)
      await expectSame(propertiesOf(source), propertiesOf(target), written, 1)
    })

    test('what a cleaner has left, its holes and its tombstones, and the target’s own cleaner takes it from there', async () => {
      const settings = {
        'cleanup.policy': 'compact',
        'segment.ms': '100',
        'min.cleanable.dirty.ratio': '0.001'
      }
      await create(source, 'compacted', { ...settings, 'delete.retention.ms': '10000' }, 1)
      const { compacted = 0 } = await feedKinds('compacted')
      // The last batch is whole, tombstones and all, and passes as it is, if only the cleaner has seen it.
      await feedKinds('compacted=later')
      const cleaned = await until('the source has cleaned', async () => {
        const now = await latestOf(source, 'compacted')
        return now.records < compacted / 2 ? now : undefined
      })
      expect(tombstonesOf(cleaned)).toHaveLength(10)
      // From here on the source stays as it is, while it is compared.
      await configure(source, 'compacted', { 'cleanup.policy': 'delete', 'retention.ms': '-1' })
      const { records } = await latestOf(source, 'compacted')
      await create(target, 'compacted', { ...settings, 'min.cleanable.dirty.ratio': '1' }, 1)
      const mirror = await copied(['compacted'], 'sync_configs = false')
      await expectSame(propertiesOf(source), propertiesOf(target), { compacted: records }, 1)
      // What the source's cleaner has noted in its batches is when tombstones may go: by now they may, there.
      await sleep(11_000)
      await configure(target, 'compacted', { ...settings, 'delete.retention.ms': '3600000' })
      // Later batches close the segments that hold the copies, which then are cleaned.
      await feedKinds('compacted=later')
      await mirror.copied(kafkajs(source.direct), ['compacted'])
      await stopped(mirror)
      const source2 = await latestOf(source, 'compacted')
      const after = await until('the target has cleaned', async () => {
        const now = await latestOf(target, 'compacted')
        return now.records < source2.records ? now : undefined
      })
      expect(after.latest).toEqual(source2.latest)
      expect(tombstonesOf(after)).toHaveLength(10)
    })

    if (version !== oldestKafka) return
    test('messages of the formats that came before batches', async () => {
      await create(source, 'old-one', { 'message.format.version': '0.10.2' })
      await create(source, 'old-zero', { 'message.format.version': '0.9.0' })
      const written = await feedKinds('old-one', 'old-zero')
      const mirror = await copied(['old-one', 'old-zero'])
      expect((await mirror.state())?.roles[0]?.notes).toContain(
        'message.format.version of topic old-one is nothing that aws knows: old-one goes without'
      )
      await stopped(mirror)
      await expectSame(propertiesOf(source), propertiesOf(target), written)
    })
  }
)

interface Latest {
  readonly records: number
  readonly latest: Readonly<Record<string, string | null>>
}

async function latestOf(kafka: RealKafka, topic: string): Promise<Latest> {
  return JSON.parse(await pythonTool('latest_values.py', [JSON.stringify(propertiesOf(kafka)), topic]))
}

function tombstonesOf({ latest }: Latest): string[] {
  return Object.keys(latest).filter((key) => latest[key] === null)
}

async function configure(kafka: RealKafka, name: string, settings: Record<string, string>): Promise<void> {
  const admin = kafkajs(kafka.direct).admin()
  await admin.connect()
  const configEntries = Object.entries(settings).map(([key, value]) => ({ name: key, value }))
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries }]
  })
  await admin.disconnect()
}

function topicOf(topic: string, settings: Record<string, string>, numPartitions: number): ITopicConfig {
  // Many records are years old by their times.
  const all = { 'retention.ms': '-1', ...settings }
  const configEntries = Object.entries(all).map(([name, value]) => ({ name, value }))
  return { topic, numPartitions, replicationFactor: 1, configEntries }
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 60_000
  while (Date.now() < deadline) {
    const found = await look()
    if (found !== undefined) return found
  }
  throw new Error(`${what}: not within a minute`)
}
