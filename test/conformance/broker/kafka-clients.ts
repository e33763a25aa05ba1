import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { KafkaTool, KafkaTools } from '../../real/kafka-tools.ts'
import { fresh, newPartition, type Subject, withClient } from './bench.ts'
import { committedValues } from './committed.ts'

const SOON = { timeout: 20_000, interval: 20 }

/** Kafka's own clients, by the tools that its project tests brokers with. */
export function kafkaClients(subject: () => Subject, tools: KafkaTools): void {
  const run = (tool: KafkaTool, args: readonly string[], input = '') =>
    tools.runOk(tool, ['--bootstrap-server', subject().address, ...args], input)

  const newTopic = async (partitions = 1): Promise<string> => {
    let topic = ''
    await withClient(subject(), async (client) => {
      topic = (await newPartition(client, {}, partitions)).topic
    })
    return topic
  }

  const valuesIn = async (topic: string): Promise<string[]> => {
    let values: string[] = []
    await withClient(subject(), async (client) => {
      values = await committedValues(client, { topic, partition: 0 })
    })
    return values
  }

  test('what the console producer is told, the console consumer prints', async () => {
    const topic = await newTopic()
    const keyed = ['--property', 'parse.key=true', '--property', 'key.separator=:']
    await run('kafka-console-producer', ['--topic', topic, ...keyed], 'a:1\nb:2\nc:3\n')
    const printing = ['--property', 'print.key=true', '--property', 'print.offset=true']
    const reading = ['--topic', topic, '--from-beginning', '--max-messages', '3', '--timeout-ms', '15000']
    expect(await run('kafka-console-consumer', [...reading, ...printing])).toEqual([
      'Offset:0\ta\t1',
      'Offset:1\tb\t2',
      'Offset:2\tc\t3'
    ])
  })

  test('the perf tools: every codec is accepted and read back, with checked CRCs', async () => {
    const topic = await newTopic(3)
    const load = ['--topic', topic, '--num-records', '1000', '--record-size', '500', '--throughput', '-1']
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      const settings = [`bootstrap.servers=${subject().address}`, `compression.type=${codec}`]
      const sent = await tools.runOk('kafka-producer-perf-test', [...load, '--producer-props', ...settings])
      expect(sent.at(-1)).toMatch(/^1000 records sent/)
    }
    const reading = ['--topic', topic, '--messages', '5000', '--timeout', '15000']
    const [, numbers] = await run('kafka-consumer-perf-test', reading)
    expect(numbers?.split(', ')[4]).toBe('5000')
  })

  test('the perf producer in transactions: a read_committed consumer reads everything', async () => {
    const topic = await newTopic()
    const load = ['--topic', topic, '--num-records', '2000', '--record-size', '100', '--throughput', '20000']
    const transactions = ['--transactional-id', fresh('txn'), '--transaction-duration-ms', '20']
    const to = ['--producer-props', `bootstrap.servers=${subject().address}`]
    await tools.runOk('kafka-producer-perf-test', [...load, ...transactions, ...to])
    const reading = ['--topic', topic, '--from-beginning', '--max-messages', '2000', '--timeout-ms', '15000']
    const isolation = ['--isolation-level', 'read_committed']
    expect((await run('kafka-console-consumer', [...reading, ...isolation])).length).toBe(2000)
  })

  test('VerifiableProducer, its replies lost: what is acknowledged is there, once and in order', async () => {
    const topic = await newTopic()
    // Left alone it does not try again. Small batches let several be under way when a reply is lost.
    const config = configFile({ 'enable.idempotence': 'true', retries: '100', 'batch.size': '500' })
    const sending = ['--topic', topic, '--max-messages', '2000', '--producer.config', config]
    const lost = subject().loseReplies('Produce', 3)
    const printed = await run('kafka-verifiable-producer', sending)
    expect(lost.hits).toBe(3)
    const acked = eventsOf(printed).filter(({ name }) => name === 'producer_send_success')
    expect(acked.map(({ offset }) => offset)).toEqual(numbers(2000))
    expect(await valuesIn(topic)).toEqual(numbers(2000).map(String))
  })

  test.each([
    ['eager', 'RangeAssignor'],
    ['cooperative', 'CooperativeStickyAssignor']
  ])(
    'three VerifiableConsumers with %s rebalances share, go on when one leaves, and read everything once',
    async (_, assignor) => {
      const topic = await newTopic(6)
      const group = fresh('group')
      const config = configFile({ 'heartbeat.interval.ms': '200' })
      const strategy = `org.apache.kafka.clients.consumer.${assignor}`
      const args = ['--bootstrap-server', subject().address, '--topic', topic, '--group-id', group]
      const members: Awaited<ReturnType<typeof tools.start>>[] = []
      onTestFinished(() => {
        for (const member of members) member.end()
      })
      const sharing = (shares: readonly number[]) =>
        vi.waitFor(() => {
          expect(members.map(({ lines }) => assignedTo(lines).size)).toEqual(shares)
        }, SOON)
      for (const shares of [[6], [3, 3], [2, 2, 2]]) {
        const more = ['--assignment-strategy', strategy, '--consumer.config', config]
        members.push(await tools.start('kafka-verifiable-consumer', [...args, ...more]))
        await sharing(shares)
      }
      const feed = () => run('kafka-verifiable-producer', ['--topic', topic, '--max-messages', '600'])
      const consumed = () => members.flatMap(({ lines }) => rangesOf(lines)).toSorted()
      await feed()
      await vi.waitFor(() => expect(sizeOf(consumed())).toBe(600), SOON)
      members[0]?.end()
      await members[0]?.result
      await sharing([0, 3, 3])
      await feed()
      await vi.waitFor(() => expect(sizeOf(consumed())).toBe(1200), SOON)
      expect(isGapless(consumed())).toBe(true)
    }
  )

  test.each([
    ['by partition', []],
    ['in a group', ['--group-mode', '--use-group-metadata']]
  ])(
    'TransactionalMessageCopier %s with random aborts, its EndTxn reply lost: a copy, once and in order',
    async (_, mode) => {
      const [from, to] = [await newTopic(), await newTopic()]
      await run('kafka-verifiable-producer', ['--topic', from, '--max-messages', '300'])
      const copying = ['--input-topic', from, '--input-partition', '0', '--output-topic', to, ...mode]
      const sizes = ['--transaction-size', '20', '--max-messages', '300', '--enable-random-aborts']
      const names = ['--transactional-id', fresh('txn'), '--consumer-group', fresh('group')]
      const broker = ['--broker-list', subject().address]
      const lost = subject().loseReplies('EndTxn', 1)
      await tools.runOk('transactional-message-copier', [...broker, ...copying, ...sizes, ...names])
      expect(lost.hits).toBe(1)
      await vi.waitFor(async () => expect(await valuesIn(to)).toEqual(numbers(300).map(String)), SOON)
    }
  )
}

interface ToolEvent {
  readonly name: string
  readonly offset?: number
  readonly partitions?: readonly PartitionEvent[]
}

interface PartitionEvent {
  readonly partition: number
  readonly minOffset: number
  readonly maxOffset: number
}

/** The JSON lines of a verifiable client. */
function eventsOf(lines: readonly string[]): ToolEvent[] {
  return lines.map((line) => JSON.parse(line) as ToolEvent)
}

/** The partitions that a consumer holds. */
function assignedTo(lines: readonly string[]): ReadonlySet<number> {
  const held = new Set<number>()
  for (const { name, partitions = [] } of eventsOf(lines)) {
    for (const { partition } of partitions) {
      if (name === 'partitions_assigned') held.add(partition)
      if (name === 'partitions_revoked') held.delete(partition)
    }
  }
  return held
}

/** Partition, first and last offset of what a consumer read. */
type Range = readonly [number, number, number]

function rangesOf(lines: readonly string[]): Range[] {
  return eventsOf(lines)
    .filter(({ name }) => name === 'records_consumed')
    .flatMap(({ partitions = [] }) => partitions)
    .map(({ partition, minOffset, maxOffset }) => [partition, minOffset, maxOffset])
}

function sizeOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, [, first, last]) => sum + last - first + 1, 0)
}

/** Whether the ranges cover their partitions from 0 on, without overlap. */
function isGapless(ranges: readonly Range[]): boolean {
  const byOffset = ranges.toSorted(([, a], [, b]) => a - b)
  const ends = new Map<number, number>()
  return byOffset.every(([partition, first, last]) => {
    const fits = (ends.get(partition) ?? 0) === first
    ends.set(partition, last + 1)
    return fits
  })
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** A properties file that is gone after the test. */
function configFile(settings: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-client-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'client.properties')
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(file, lines.join(''))
  return file
}
