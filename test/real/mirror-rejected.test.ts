import type { ITopicConfig } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { WorkerState } from '../support/worker-state.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython, pythonTool } from '../tools/python.ts'
import { hasKafka, newestKafka, oldestKafka, type RealKafka, startKafka } from './kafka.ts'
import { createTopics, kafkajs, MirrorProcess } from './kafka-mirror.ts'

/**
 * Records that a real broker refuses: a timestamp beyond its limit, no key in a compacted topic, too large a batch. What is
 * on the target then is read by librdkafka.
 */
const defer = cleanups()
const HOUR_MS = 3_600_000

interface Message {
  readonly key?: string | null
  readonly value: string
  readonly timestamp?: string
}

interface Read {
  readonly key: string | null
  /** The length of a long one. */
  readonly value: string | number
  readonly headers: Readonly<Record<string, string>>
}

const some = (from: number, count: number): Message[] =>
  Array.from({ length: count }, (_, n) => ({ key: 'k', value: String(from + n) }))
const late = (value: string): Message => {
  return { key: 'k', value, timestamp: String(Date.now() + 30 * HOUR_MS) }
}

describe.skipIf(!hasKafka || !hasPython).each([newestKafka, oldestKafka])(
  'records that Apache Kafka %s refuses',
  (version) => {
    let source: RealKafka
    let target: RealKafka
    beforeAll(async () => {
      const ahead = { 'log.message.timestamp.after.max.ms': String(1_000 * HOUR_MS) }
      ;[source, target] = await Promise.all([startKafka(ahead), startKafka({}, { version })])
    })
    afterAll(async () => {
      await Promise.all([source?.stop(), target?.stop()])
    })

    /** What the target of this version calls the limit that records of the future break. */
    const timeLimit =
      version === oldestKafka ? 'message.timestamp.difference.max.ms' : 'message.timestamp.after.max.ms'

    async function create(topic: string, settings: Record<string, string>): Promise<void> {
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
      const plain: ITopicConfig = { topic, numPartitions: 2, replicationFactor: 1 }
      await createTopics(kafkajs(source.direct), [plain])
      await createTopics(kafkajs(target.direct), [{ ...plain, configEntries }])
    }

    /** One batch to each partition. */
    async function produce(topic: string, ...batches: readonly (readonly Message[])[]): Promise<void> {
      const producer = kafkajs(source.direct).producer()
      await producer.connect()
      for (const [partition, messages] of batches.entries()) {
        const placed = messages.map(({ key = 'k', ...rest }) => ({ ...rest, key, partition }))
        if (placed.length > 0) await producer.send({ topic, messages: placed })
      }
      await producer.disconnect()
    }

    async function read(topic: string): Promise<Read[][]> {
      const properties = JSON.stringify({ 'bootstrap.servers': target.direct.join() })
      return JSON.parse(await pythonTool('read_topic.py', [properties, topic]))
    }

    const valuesOf = async (topic: string) =>
      (await read(topic)).map((records) => records.map(({ value }) => value))

    function start(topic: string, more: string): MirrorProcess {
      const clusters = `[cluster.onprem]\nbrokers = ${JSON.stringify(source.brokers)}\n[cluster.aws]\nbrokers = ${JSON.stringify(target.brokers)}\n`
      const section = `[mirror.${topic}]\nfrom = "onprem"\nto = "aws"\nrefresh_interval = "10m"\nshards = 2\nsync_configs = false\ntopics = ["${topic}"]\n${more}\n`
      const mirror = MirrorProcess.start(`${clusters}${section}`)
      defer(() => mirror.remove())
      return mirror
    }

    async function told(mirror: MirrorProcess, what: string, fits: (state: WorkerState) => boolean) {
      return mirror.worker.until(what, async () => {
        const state = await mirror.state()
        return state !== undefined && fits(state) ? state : undefined
      })
    }

    async function stopped(mirror: MirrorProcess): Promise<void> {
      expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
    }

    test('a timestamp beyond the limit stops its partition there, and no other', async () => {
      await create('late', { [timeLimit]: String(HOUR_MS) })
      await produce('late', [...some(0, 5), late('poison'), ...some(6, 3)], some(0, 10))
      const mirror = start('late', '')
      const isThere = ({ roles }: WorkerState) => {
        const [first, second] = roles[0]?.partitions ?? []
        return first?.state === 'rejected' && first.position === 5 && second?.position === 10
      }
      const { roles, unready } = await told(mirror, 'the partition stops', isThere)
      expect(roles[0]?.partitions[0]?.reason).toMatch(
        /^the record at offset 5: late-0: invalid timestamp \(32\): Timestamp \d+ of message/
      )
      expect(unready).not.toEqual([])
      await stopped(mirror)
      expect(await valuesOf('late')).toEqual([
        ['0', '1', '2', '3', '4'],
        Array.from({ length: 10 }, (_, n) => String(n))
      ])
    })

    test('records without a key are left out of a compacted topic where the rules want it', async () => {
      await create('keyless', { 'cleanup.policy': 'compact' })
      const keyless = (value: string) => ({ key: null, value })
      await produce('keyless', [...some(0, 3), keyless('a'), keyless('b'), ...some(5, 2)], [keyless('c')])
      const mirror = start('keyless', 'policy = { rejected = "skip" }')
      await mirror.copied(kafkajs(source.direct), ['keyless'])
      const { unready, roles } = await told(mirror, 'it is ready', (state) => state.unready.length === 0)
      expect(unready).toEqual([])
      expect(roles[0]?.counters).toMatchObject({ offsetsSkipped: 3 })
      await stopped(mirror)
      expect(await valuesOf('keyless')).toEqual([['0', '1', '2', '5', '6'], []])
    })

    test('what is too large for a limit that came later is found by cutting and kept as a dead letter', async () => {
      await create('large', {})
      const mirror = start('large', 'policy = { rejected = "dead_letter" }\ndead_letter = "large.dead"')
      await told(mirror, 'it is ready', (state) => state.unready.length === 0)
      const admin = kafkajs(target.direct).admin()
      await admin.connect()
      const limit = { name: 'max.message.bytes', value: '20000' }
      const resources = [{ type: 2, name: 'large', configEntries: [limit] }]
      await admin.alterConfigs({ validateOnly: false, resources })
      await admin.disconnect()
      const large = { key: 'big', value: 'x'.repeat(50_000), headers: { of: 'its own' } }
      await produce('large', [...some(0, 40), large, ...some(41, 9)], some(0, 5))
      await mirror.copied(kafkajs(source.direct), ['large'])
      await stopped(mirror)
      const [first, second] = await valuesOf('large')
      expect(first).toEqual([...some(0, 40), ...some(41, 9)].map(({ value }) => value))
      expect(second).toHaveLength(5)
      const [dead] = await read('large.dead')
      expect(dead).toEqual([
        {
          key: 'big',
          value: 50_000,
          headers: {
            of: 'its own',
            '__connect.errors.topic': 'large',
            '__connect.errors.partition': '0',
            '__connect.errors.offset': '40',
            '__connect.errors.connector.name': 'real.mirror.large',
            '__connect.errors.exception.message': 'the record at offset 40: large-0: message too large (10)',
            'causeway.timestamp': expect.stringMatching(/^\d{13}$/)
          }
        }
      ])
    })
  }
)
