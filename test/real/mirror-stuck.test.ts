import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { WorkerState } from '../support/worker-state.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython } from '../tools/python.ts'
import { hasKafka, newestKafka, oldestKafka, type RealKafka, startKafka } from './kafka.ts'
import { createTopics, expectSame, kafkajs, MirrorProcess } from './kafka-mirror.ts'
import { hasKafkaTools, KafkaTools } from './kafka-tools.ts'

const defer = cleanups()
const tools = new KafkaTools()
afterAll(() => tools.stop())

const isLeftOut = !hasKafka || !hasKafkaTools || !hasPython
describe.skipIf(isLeftOut).each([newestKafka, oldestKafka])(
  'a source transaction that nobody ends, on Apache Kafka %s',
  (version) => {
    let source: RealKafka
    let target: RealKafka
    beforeAll(async () => {
      ;[source, target] = await Promise.all([startKafka({}, { version }), startKafka({}, { version })])
    })
    afterAll(() => Promise.all([source?.stop(), target?.stop()]))

    test('holds up its partition only, is named, and ends by the command that the mirror tells', async () => {
      await createTopics(kafkajs(source.direct), [{ topic: 'held', numPartitions: 4, replicationFactor: 1 }])
      const plain = kafkajs(source.direct).producer()
      const hanging = kafkajs(source.direct).producer({
        transactionalId: 'nobody',
        transactionTimeout: 900_000,
        maxInFlightRequests: 1,
        idempotent: true
      })
      await Promise.all([plain.connect(), hanging.connect()])
      defer(() => Promise.all([plain.disconnect(), hanging.disconnect()]))
      const everywhere = (value: string) =>
        [0, 1, 2, 3].map((partition) => ({ key: `${value}-${partition}`, value, partition }))
      await plain.send({ topic: 'held', messages: everywhere('before') })
      const open = await hanging.transaction()
      await open.send({ topic: 'held', messages: [{ key: 'never', value: 'seen', partition: 2 }] })
      await plain.send({ topic: 'held', messages: everywhere('after') })

      const clusters = [source, target].map(
        ({ direct }, index) => `[cluster.c${index}]\nbrokers = ${JSON.stringify(direct)}\n`
      )
      const mirror = MirrorProcess.start(
        `${clusters.join('')}[mirror.m]\nfrom = "c0"\nto = "c1"\ntopics = ["held"]\nshards = 4\nrefresh_interval = "1s"\nlso_stuck_after = "2s"\n`
      )
      defer(() => mirror.remove())
      const told = (what: string, fits: (state: WorkerState) => boolean) =>
        mirror.worker.until(what, async () => {
          const state = await mirror.state()
          return state !== undefined && fits(state) ? state : undefined
        })
      const isStuck = ({ roles }: WorkerState) => {
        const states = roles[0]?.partitions.map(({ state }) => state).join()
        return states === 'copying,copying,source-lso-stuck,copying'
      }
      const { unready } = await told('only that partition is stuck', isStuck)
      expect(unready).toEqual([
        expect.stringMatching(/^mirror\.m: held-2 is source-lso-stuck: nothing from /)
      ])
      const [, producerId, command] =
        /producer (\d+) .*: kafka-transactions\.sh (.+)$/.exec(unready[0] ?? '') ?? []
      const where = ['--bootstrap-server', source.direct[0] ?? '', 'describe-producers']
      const [, ...producers] = await tools.runOk('kafka-transactions', [
        ...where,
        ...['--topic', 'held', '--partition', '2']
      ])
      expect(
        producers.filter((line) => line.trim().startsWith(`${producerId} `)).length,
        producers.join()
      ).toBe(1)

      await tools.runOk('kafka-transactions', (command ?? '').split(' '))
      await told('the mirror is ready', (state) => state.unready.length === 0)
      await mirror.copied(kafkajs(source.direct), ['held'])
      expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
      const properties = ({ direct }: RealKafka) => ({ 'bootstrap.servers': direct.join() })
      await expectSame(properties(source), properties(target), { held: 8 })
    })
  }
)
