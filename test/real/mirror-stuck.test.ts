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
  'a transaction that nobody ends, on Apache Kafka %s',
  (version) => {
    let source: RealKafka
    let target: RealKafka
    beforeAll(async () => {
      ;[source, target] = await Promise.all([startKafka({}, { version }), startKafka({}, { version })])
    })
    afterAll(() => Promise.all([source?.stop(), target?.stop()]))

    function start(name: string, topic: string): MirrorProcess {
      const clusters = [source, target].map(
        ({ direct }, index) => `[cluster.c${index}]\nbrokers = ${JSON.stringify(direct)}\n`
      )
      const times = 'refresh_interval = "1s"\nlso_stuck_after = "2s"\n'
      const mirror = MirrorProcess.start(
        `${clusters.join('')}[mirror.${name}]\nfrom = "c0"\nto = "c1"\ntopics = ["${topic}"]\nshards = 4\n${times}`
      )
      defer(() => mirror.remove())
      return mirror
    }

    const told = (mirror: MirrorProcess, what: string, fits: (state: WorkerState) => boolean) =>
      mirror.worker.until(what, async () => {
        const state = await mirror.state()
        return state !== undefined && fits(state) ? state : undefined
      })

    test('on the source holds up its partition only, is named, and ends by the command that the mirror tells', async () => {
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

      const mirror = start('m', 'held')
      const isStuck = ({ roles }: WorkerState) => {
        const states = roles[0]?.partitions.map(({ state }) => state).join()
        return states === 'copying,copying,source-lso-stuck,copying'
      }
      const { unready } = await told(mirror, 'only that partition is stuck', isStuck)
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
      await told(mirror, 'the mirror is ready', (state) => state.unready.length === 0)
      await mirror.copied(kafkajs(source.direct), ['held'])
      expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
      const properties = ({ direct }: RealKafka) => ({ 'bootstrap.servers': direct.join() })
      await expectSame(properties(source), properties(target), { held: 8 })
    })

    test('among the positions holds up the restore, is named, and ends by the command, too', async () => {
      const topic = 'positioned'
      await createTopics(kafkajs(source.direct), [{ topic, numPartitions: 4, replicationFactor: 1 }])
      const plain = kafkajs(source.direct).producer()
      const foreign = kafkajs(target.direct).producer({
        transactionalId: 'foreign',
        transactionTimeout: 900_000,
        maxInFlightRequests: 1,
        idempotent: true
      })
      await Promise.all([plain.connect(), foreign.connect()])
      defer(() => Promise.all([plain.disconnect(), foreign.disconnect()]))
      const messages = [0, 1, 2, 3].map((partition) => ({ key: `${partition}`, value: 'v', partition }))
      await plain.send({ topic, messages })
      const first = start('p', topic)
      await first.copied(kafkajs(source.direct), [topic])
      expect(await first.worker.stop(), first.worker.said()).toBe(0)
      const open = await foreign.transaction()
      await open.send({ topic: 'real.mirror.p.positions.internal', messages })
      await plain.send({ topic, messages })

      const second = start('p', topic)
      const isHeld = ({ roles }: WorkerState) => {
        const states = roles[0]?.partitions.map(({ state }) => state) ?? []
        return states.length === 4 && states.every((state) => state === 'hanging-transaction')
      }
      const { unready } = await told(second, 'the restores wait', isHeld)
      for (const reason of unready) {
        const [, command] = /producer \d+ .*: kafka-transactions\.sh (.+)$/.exec(reason) ?? []
        await tools.runOk('kafka-transactions', (command ?? reason).split(' '))
      }
      await told(second, 'the mirror is ready', (state) => state.unready.length === 0)
      await second.copied(kafkajs(source.direct), [topic])
      expect(await second.worker.stop(), second.worker.said()).toBe(0)
    })
  }
)
