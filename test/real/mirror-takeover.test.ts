import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CausewayProcess } from '../support/causeway-process.ts'
import type { WorkerState } from '../support/worker-state.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython } from '../tools/python.ts'
import type { Service } from '../tools/service.ts'
import { hasKafka, newestKafka, oldestKafka, type RealKafka, startKafka } from './kafka.ts'
import { createTopics, expectSame, feed, kafkajs, MirrorProcess } from './kafka-mirror.ts'
import { hasMirrorMaker, startMirrorMaker } from './mirrormaker.ts'

const defer = cleanups()
const TIMEOUT_MS = 600_000
/** Nothing of what is waited for depends on how long it takes: a busy machine is slow. */
const PATIENCE_MS = 240_000

const isLeftOut = !hasKafka || !hasPython || !hasMirrorMaker
describe.skipIf(isLeftOut).each([newestKafka, oldestKafka])(
  'beside MirrorMaker 2 on Apache Kafka %s',
  (version) => {
    let [source, target]: (RealKafka | undefined)[] = []
    beforeAll(async () => {
      ;[source, target] = await Promise.all([startKafka({}, { version }), startKafka({}, { version })])
    })
    afterAll(() => Promise.all([source?.stop(), target?.stop()]))

    const of = (kafka: RealKafka | undefined) => kafka?.direct ?? []
    const properties = (kafka: RealKafka | undefined) => ({ 'bootstrap.servers': of(kafka).join() })

    async function mirrorMaker(topic: string, more: Readonly<Record<string, string>>): Promise<Service> {
      const service = await startMirrorMaker({ source: of(source), target: of(target), topics: topic, more })
      defer(() => service.kill())
      return service
    }

    /** How much is in a topic, markers included. */
    async function size(kafka: RealKafka | undefined, topic: string): Promise<number> {
      const admin = kafkajs(of(kafka)).admin()
      await admin.connect()
      const offsets = await admin.fetchTopicOffsets(topic).catch(() => [])
      await admin.disconnect()
      return offsets.reduce((sum, { high }) => sum + Number(high), 0)
    }

    async function untilSize(topic: string, least: number, from: Service | CausewayProcess): Promise<void> {
      const said = () => ('printed' in from ? from.printed().slice(-3_000) : from.said())
      const grown = async () => (await size(target, topic)) >= least
      await expect
        .poll(grown, { timeout: PATIENCE_MS, interval: 200 })
        .toBe(true)
        .catch((error: unknown) => {
          throw new Error(`${topic} does not grow to ${least}:\n${said()}`, { cause: error })
        })
    }

    function configOf(topic: string, policy: 'default' | 'identity', shards: number): string {
      const naming = policy === 'identity' ? '"identity"' : '{ prefix = "A." }'
      const clusters = [
        `[cluster.onprem]\nbrokers = ${JSON.stringify(of(source))}`,
        `[cluster.aws]\nbrokers = ${JSON.stringify(of(target))}`
      ]
      const mirror = [
        `[mirror.${topic}]\nfrom = "onprem"\nto = "aws"\ntopics = ["${topic}"]\nnaming = ${naming}`,
        `shards = ${shards}\nrefresh_interval = "1s"\nsession_timeout = "6s"`,
        `take_over = { mm2 = { source = "A", policy = "${policy}" } }\n`
      ]
      return [...clusters, ...mirror].join('\n')
    }

    function start(config: string): MirrorProcess {
      const mirror = MirrorProcess.start(config)
      defer(() => mirror.remove())
      return mirror
    }

    const notesOf = (state: WorkerState | undefined) => state?.roles.flatMap(({ notes }) => notes) ?? []

    /** Runs `causeway mirror …` again until it is not refused for what passes by itself. */
    async function mirrorCommand(mirror: MirrorProcess, topic: string, ...args: string[]): Promise<string> {
      const all = ['mirror', ...args, '--config', join(mirror.directory, 'causeway.toml'), '--mirror', topic]
      const deadline = Date.now() + PATIENCE_MS
      for (;;) {
        const command = new CausewayProcess(all)
        defer(() => command.end())
        const { code } = await command.exited
        if (code === 0) return command.stdout
        expect(command.stderr).toMatch(/MirrorMaker 2 runs|has members/)
        if (Date.now() > deadline) throw new Error(command.said())
      }
    }

    /** A topic that has much at once, and goes on growing until told otherwise. Resolves with how much it was. */
    async function load(topic: string): Promise<{ end: () => Promise<number> }> {
      await createTopics(kafkajs(of(source)), [{ topic, numPartitions: 4, replicationFactor: 1 }])
      const before = await feed(properties(source), topic, { records: 6_000 })
      const directory = mkdtempSync(join(tmpdir(), 'causeway-load-'))
      defer(() => rmSync(directory, { recursive: true }))
      const until = join(directory, 'over')
      // A failed test ends it, too.
      defer(() => writeFileSync(until, ''))
      const growing = feed(properties(source), topic, { records: 1, seconds: 0.01, until })
      growing.catch(() => undefined)
      return {
        end: async () => {
          writeFileSync(until, '')
          return before + (await growing)
        }
      }
    }

    test(
      'killed in the middle of a batch, it is taken over, handed back, and taken over again: nothing is lost or repeated',
      async () => {
        const topic = 'orders'
        const copy = `A.${topic}`
        const growing = await load(topic)
        const first = await mirrorMaker(topic, {})
        await untilSize(copy, 200, first)
        const config = configOf(topic, 'default', 8)
        const early = start(config)
        await early.worker.until('the mirror waits', async () => {
          const notes = notesOf(await early.state())
          return notes.some((note) => note.includes('mm2-running')) ? true : undefined
        })
        await first.kill()
        const before = await size(target, copy)
        await untilSize(copy, before + 1_000, early.worker)
        const decoded = (await early.state())?.roles[0]?.counters.batchesDecoded ?? 0
        // It was stopped between two records of a batch, and we went on there.
        expect(decoded).toBeGreaterThan(0)
        expect(await early.worker.stop(), early.worker.said()).toBe(0)

        expect(await mirrorCommand(early, topic, 'handback')).toContain('MirrorMaker 2 may be started')
        const refused = start(config)
        expect((await refused.worker.exited).code).toBe(2)
        expect(refused.worker.stderr).toContain('mirror-handed-back')
        const second = await mirrorMaker(topic, {})
        const handedBack = await size(target, copy)
        await untilSize(copy, handedBack + 500, second)
        await second.kill()

        expect(await mirrorCommand(early, topic, 'takeover')).toContain('goes on where MirrorMaker 2 stopped')
        const last = start(config)
        const total = await growing.end()
        await last.copied(kafkajs(of(source)), [topic], PATIENCE_MS)
        expect(await last.worker.stop(), last.worker.said()).toBe(0)
        await expectSame(properties(source), properties(target), { [`${topic}=${copy}`]: total })
      },
      TIMEOUT_MS
    )

    test(
      'stopped, with the same names on both sides, it is taken over, and the mirror changes its shards',
      async () => {
        const topic = 'payments'
        const growing = await load(topic)
        const policy = 'org.apache.kafka.connect.mirror.IdentityReplicationPolicy'
        const mm2 = await mirrorMaker(topic, { 'replication.policy.class': policy })
        await untilSize(topic, 200, mm2)
        await mm2.stop()
        const few = start(configOf(topic, 'identity', 4))
        const taken = await size(target, topic)
        await untilSize(topic, taken + 500, few.worker)
        expect(await few.worker.stop(), few.worker.said()).toBe(0)

        const told = await mirrorCommand(few, topic, 'reshard', '--shards', '10')
        expect(told).toContain(`real.mirror.${topic}.positions-1.internal; set shards = 10`)
        const stale = start(configOf(topic, 'identity', 4))
        expect((await stale.worker.exited).code).toBe(2)
        expect(stale.worker.stderr).toContain('has 10 shards, the config asks for 4')
        const many = start(configOf(topic, 'identity', 10))
        const total = await growing.end()
        await many.copied(kafkajs(of(source)), [topic], PATIENCE_MS)
        expect(await many.worker.stop(), many.worker.said()).toBe(0)
        await expectSame(properties(source), properties(target), { [topic]: total })
      },
      TIMEOUT_MS
    )
  }
)
