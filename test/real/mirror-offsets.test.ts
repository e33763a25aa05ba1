import { join } from 'node:path'
import type { Admin } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { GroupRow } from '../../src/actors/mirror/offsets/group-table.ts'
import { CausewayProcess } from '../support/causeway-process.ts'
import { cleanups } from '../tools/cleanup.ts'
import { freePort } from '../tools/service.ts'
import { JavaLines } from './java-lines.ts'
import { type RealKafka, startKafka } from './kafka.ts'
import { createTopics, kafkajs, MirrorProcess } from './kafka-mirror.ts'
import { hasKafkaTools, KafkaTools } from './kafka-tools.ts'
import { hasMirrorMaker } from './mirrormaker.ts'
import { translateOffsetsProgram } from './translate-offsets.ts'

/**
 * Consumers that change from the source to the target: Kafka's console consumer reads some on the one and goes on on the
 * other, and MirrorMaker 2's own client library, which knows nothing of us, tells where.
 */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })
const defer = cleanups()
const tools = new KafkaTools()
const PARTITIONS = [0, 1, 2, 3]
const TRANSACTIONS = 12
const RECORDS = 40

describe.skipIf(!hasKafkaTools || !hasMirrorMaker)('offsets of consumers on Apache Kafka', () => {
  let source: RealKafka
  let target: RealKafka
  let there: Admin
  let java: JavaLines
  beforeAll(async () => {
    ;[source, target] = await Promise.all([startKafka(), startKafka()])
    there = kafkajs(target.direct).admin()
    await there.connect()
    java = await JavaLines.start(await translateOffsetsProgram())
  })
  afterAll(async () => {
    await Promise.all([there?.disconnect(), java?.stop(), tools.stop()])
    await Promise.all([source?.stop(), target?.stop()])
  })

  const bootstrap = (kafka: RealKafka) => ['--bootstrap-server', kafka.direct.join()]

  /** Kafka's console consumer, as a member of a group that commits what it has read when it ends. */
  async function read(kafka: RealKafka, topic: string, group: string, records: number): Promise<string[]> {
    const args = [
      '--topic',
      topic,
      '--group',
      group,
      '--from-beginning',
      '--isolation-level',
      'read_committed'
    ]
    const limits = ['--max-messages', String(records), '--timeout-ms', '60000']
    return tools.runOk('kafka-console-consumer', [...bootstrap(kafka), ...args, ...limits])
  }

  /** Transactions of which every third is aborted; returns what was committed. */
  async function produce(topic: string): Promise<string[]> {
    await createTopics(kafkajs(source.direct), [{ topic, numPartitions: 4, replicationFactor: 1 }])
    const writers = ['a', 'b'].map((id) =>
      kafkajs(source.direct).producer({
        transactionalId: `${topic}-${id}`,
        idempotent: true,
        maxInFlightRequests: 1
      })
    )
    const committed: string[] = []
    for (const writer of writers) await writer.connect()
    for (let n = 0; n < TRANSACTIONS; n++) {
      const open = await Promise.all(writers.map((writer) => writer.transaction()))
      for (const [index, transaction] of open.entries()) {
        const messages = Array.from({ length: RECORDS }, (_, record) => {
          return { value: `${index}-${n}-${record}`, partition: (record + n) % PARTITIONS.length }
        })
        await transaction.send({ topic, messages })
        const isAborted = (n + index) % 3 === 0
        if (!isAborted) committed.push(...messages.map(({ value }) => value))
        await (isAborted ? transaction.abort() : transaction.commit())
      }
    }
    for (const writer of writers) await writer.disconnect()
    return committed
  }

  const clusters = () =>
    `[cluster.onprem]\nbrokers = ${JSON.stringify(source.direct)}\n[cluster.aws]\nbrokers = ${JSON.stringify(target.direct)}\n`

  function start(name: string, more: string): MirrorProcess {
    const times = 'refresh_interval = "1s"\nshards = 4\ncheckpoint_interval = "200ms"\n'
    const section = `[mirror.${name}]\nfrom = "onprem"\nto = "aws"\ntopics = ["${name}"]\n${times}${more}\n`
    const mirror = MirrorProcess.start(`${clusters()}${section}`)
    defer(() => mirror.remove())
    return mirror
  }

  /** What the command line says, and with which exit code. */
  async function causeway(...args: string[]) {
    const process = new CausewayProcess(args)
    const { code } = await process.exited
    return { code, out: process.stdout, err: process.stderr }
  }

  const translate = (mirror: MirrorProcess, name: string, group: string, ...more: string[]) => {
    const config = join(mirror.directory, 'causeway.toml')
    return causeway('offsets', 'translate', '--config', config, '--mirror', name, '--group', group, ...more)
  }

  /** The table as data, once every row is exact: before, the mirror has not come so far. */
  async function rowsOf(mirror: MirrorProcess, name: string, group: string): Promise<GroupRow[]> {
    const { code, out, err } = await translate(mirror, name, group, '--json')
    expect(code, err).toBe(0)
    const rows: GroupRow[] = JSON.parse(out)
    expect(rows.map(({ partition, exact }) => [partition, exact])).toEqual(
      PARTITIONS.map((one) => [one, true])
    )
    return rows
  }

  /** What MirrorMaker 2's library answers, once it is what our rows say. */
  async function untilJavaSays(
    mirror: MirrorProcess,
    group: string,
    rows: readonly GroupRow[],
    upstream: string
  ) {
    const wanted = rows.map((row) => `${row.targetTopic}-${row.partition}=${row.targetOffset}`).join()
    let said = ''
    await mirror.worker
      .until(
        'its answer',
        async () => {
          said = await java.ask(`${target.direct[0]} onprem ${group}`)
          return said === `${wanted} ${upstream}` ? true : undefined
        },
        120_000
      )
      .catch((error: unknown) => {
        throw new Error(`it said ${said}, wanted was ${wanted} ${upstream}`, { cause: error })
      })
  }

  async function groupOffsets(group: string, topic: string): Promise<number[]> {
    const [found] = await there.fetchOffsets({ groupId: group, topics: [topic] })
    return (found?.partitions ?? [])
      .toSorted((a, b) => a.partition - b.partition)
      .map(({ offset }) => Number(offset))
  }

  /** The lines of `kafka-consumer-groups --describe`: partition, committed offset, lag. */
  async function lagOf(kafka: RealKafka, group: string) {
    const lines = await tools.runOk('kafka-consumer-groups', [
      ...bootstrap(kafka),
      '--describe',
      '--group',
      group
    ])
    return lines
      .map((line) => line.trim().split(/\s+/))
      .filter(([name]) => name === group)
      .map(([, topic, partition, current, end, lag]) => ({ topic, partition, current, end, lag }))
      .toSorted((a, b) => Number(a.partition) - Number(b.partition))
  }

  test('a group reads each record once, the first on the source and the rest on the target, as MirrorMaker 2 told', async () => {
    const records = await produce('orders')
    const first = await read(source, 'orders', 'app', 150)
    expect(first).toHaveLength(150)
    const mirror = start('orders', 'naming = { prefix = "onprem." }\nemit_heartbeats = true')
    await mirror.copied(kafkajs(source.direct), ['orders'])
    const rows = await rowsOf(mirror, 'orders', 'app')
    await untilJavaSays(mirror, 'app', rows, 'onprem')
    expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
    expect(await rowsOf(mirror, 'orders', 'app'), 'the same when the mirror is stopped').toEqual(rows)
    const partitions = rows.map(({ targetTopic: topic, partition, targetOffset }) => {
      return { topic, partition, offset: String(targetOffset) }
    })
    await there.setOffsets({ groupId: 'app', topic: 'onprem.orders', partitions })
    const rest = await read(target, 'onprem.orders', 'app', records.length - first.length)
    expect([...first, ...rest].sort()).toEqual(records.toSorted())
    const table = await translate(mirror, 'orders', 'app')
    expect(table.out).toMatch(
      /^TOPIC +PARTITION +TARGET TOPIC +SOURCE OFFSET +TARGET OFFSET +PLACE +SOURCE LAG\n/
    )
    expect(table.out).toMatch(/\norders +0 +onprem\.orders +\d+ +\d+ +exact +\d+\n/)
    const unknown = await translate(mirror, 'orders', 'nobody')
    expect(unknown).toEqual({ code: 1, out: '', err: 'causeway: cluster onprem has no group nobody\n' })
  })

  test('groups without members are given their offsets, those with members are not, and none is moved back', async () => {
    const records = await produce('synced')
    const first = await read(source, 'synced', 'moving', 150)
    for (const group of ['busy', 'busier', 'ahead']) await read(source, 'synced', group, 20)
    await createTopics(kafkajs(target.direct), [{ topic: 'synced', numPartitions: 4, replicationFactor: 1 }])
    // Both ways of being in a group that Kafka 4 knows; neither commits.
    const readers = await Promise.all(
      Object.entries({ busy: 'classic', busier: 'consumer' }).map(async ([group, protocol]) => {
        const consumer = ['enable.auto.commit=false', `group.protocol=${protocol}`]
        const properties = consumer.flatMap((one) => ['--consumer-property', one])
        const args = [...bootstrap(target), '--topic', 'synced', '--group', group, ...properties]
        const reader = await tools.start('kafka-console-consumer', args)
        reader.result.catch(() => undefined)
        const members = ['--describe', '--members', '--group', group]
        const seen = async () =>
          (await tools.run('kafka-consumer-groups', [...bootstrap(target), ...members])).stdout
        await expect.poll(seen, { timeout: 120_000, interval: 500 }).toContain('console-consumer')
        return reader
      })
    )
    const far = 1_000_000
    const partitions = PARTITIONS.map((partition) => ({ partition, offset: String(far) }))
    await there.setOffsets({ groupId: 'ahead', topic: 'synced', partitions })
    const mirror = start('synced', 'sync_group_offsets = true')
    await mirror.worker.until('the others read', () =>
      readers.every(({ lines }) => lines.length > 0) ? true : undefined
    )
    await mirror.copied(kafkajs(source.direct), ['synced'])
    const rows = await rowsOf(mirror, 'synced', 'moving')
    const wanted = rows.map(({ targetOffset }) => targetOffset)
    let given: number[] = []
    await mirror.worker.until('the group has its offsets', async () => {
      given = await groupOffsets('moving', 'synced')
      return given.join() === wanted.join() ? true : undefined
    })
    expect(await groupOffsets('ahead', 'synced')).toEqual(PARTITIONS.map(() => far))
    for (const group of ['busy', 'busier']) {
      expect(await groupOffsets(group, 'synced'), group).toEqual([-1, -1, -1, -1])
    }
    const rest = await read(target, 'synced', 'moving', records.length - first.length)
    expect([...first, ...rest].sort()).toEqual(records.toSorted())
    for (const reader of readers) reader.end()
    expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
  })

  test('kafka-consumer-groups shows the lag of a mirror, and none when it has copied everything and left', async () => {
    await produce('lagging')
    const mirror = start('lagging', '')
    await mirror.copied(kafkajs(source.direct), ['lagging'])
    await mirror.worker.until(
      'its offsets are committed',
      async () => {
        const lines = await lagOf(source, 'real.mirror.lagging')
        return lines.length === 4 && lines.every(({ lag }) => lag === '0') ? true : undefined
      },
      120_000
    )
    expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
    const producer = kafkajs(source.direct).producer()
    await producer.connect()
    await producer.send({
      topic: 'lagging',
      messages: PARTITIONS.map((partition) => ({ value: 'one more', partition }))
    })
    await producer.disconnect()
    const lines = await lagOf(source, 'real.mirror.lagging')
    expect(lines.map(({ topic, partition, lag }) => [topic, partition, lag])).toEqual(
      PARTITIONS.map((partition) => ['lagging', String(partition), '1'])
    )
  })

  test('a cluster that cannot be reached is told, with exit code 1', async () => {
    const nobody = `[cluster.onprem]\nbrokers = ["127.0.0.1:${await freePort()}"]\n`
    const aws = `[cluster.aws]\nbrokers = ${JSON.stringify(target.direct)}\n`
    const mirror = MirrorProcess.start(`${nobody}${aws}[mirror.lost]\nfrom = "onprem"\nto = "aws"\n`)
    defer(() => mirror.remove())
    const { code, out, err } = await translate(mirror, 'lost', 'app')
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/^causeway: cluster onprem: .*\n$/)
  })
})
