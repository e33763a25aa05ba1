import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { KafkaTool, KafkaTools } from '../../real/kafka-tools.ts'
import { fresh, newPartition, type Subject, until, withClient } from './bench.ts'
import { hang } from './hanging.ts'
import { type At, batch, fetch, produce } from './requests.ts'

const SOON = { timeout: 20_000, interval: 20 }

/** Kafka's tools for operators. */
export function kafkaOperators(subject: () => Subject, tools: KafkaTools): void {
  const run = (tool: KafkaTool, ...args: readonly string[]) =>
    tools.runOk(tool, ['--bootstrap-server', subject().address, ...args])

  /** A partition with so many records, in batches of one. */
  const filled = async (count: number): Promise<At> => {
    let at0 = { topic: '', partition: 0 }
    await withClient(subject(), async (client) => {
      at0 = await newPartition(client)
      const start = Date.now()
      for (let sent = 0; sent < count; sent++) {
        await client.call(produce(at0, batch(1, undefined, start + sent)))
      }
    })
    return at0
  }

  test('kafka-broker-api-versions, kafka-cluster: what the broker speaks, and its id', async () => {
    const [, ...apis] = await run('kafka-broker-api-versions')
    const served = apis.filter((line) => !line.includes('UNSUPPORTED')).join('\n')
    for (const api of ['Produce(0)', 'Fetch(1)', 'ListOffsets(2)', 'Metadata(3)', 'EndTxn(26)']) {
      expect(served).toContain(api)
    }
    const asking = ['cluster-id', '--bootstrap-server', subject().address]
    const [id] = await tools.runOk('kafka-cluster', asking)
    expect(id).toMatch(/^Cluster ID: [\w-]{22}$/)
  })

  test('kafka-topics: create, list, describe, grow, delete, and refusals', async () => {
    const topic = fresh('topic')
    const shape = ['--partitions', '2', '--replication-factor', '1', '--config', 'max.message.bytes=5000']
    await run('kafka-topics', '--create', '--topic', topic, ...shape)
    const again = ['--bootstrap-server', subject().address, '--create', '--topic', topic]
    const { code, stdout } = await tools.run('kafka-topics', again)
    expect([code, stdout]).toEqual([1, expect.stringContaining(`Topic '${topic}' already exists.`)])
    const described = async () => (await run('kafka-topics', '--describe', '--topic', topic)).join('\n')
    await vi.waitFor(async () => expect(await described()).toMatch(/PartitionCount: 2/), SOON)
    expect(await described()).toMatch(/TopicId: [\w-]{22}\t.*ReplicationFactor: 1\t.*max.message.bytes=5000/)
    await run('kafka-topics', '--alter', '--topic', topic, '--partitions', '3')
    await vi.waitFor(async () => expect(await described()).toMatch(/PartitionCount: 3/), SOON)
    expect(await described()).toMatch(/Partition: 2\tLeader: 1\tReplicas: 1\tIsr: 1/)
    await run('kafka-topics', '--delete', '--topic', topic)
    await vi.waitFor(async () => expect(await run('kafka-topics', '--list')).not.toContain(topic), SOON)
  })

  test('kafka-configs: a setting is added, shown, and taken away', async () => {
    const { topic } = await filled(0)
    const entity = ['--entity-type', 'topics', '--entity-name', topic]
    const shown = async () => (await run('kafka-configs', '--describe', ...entity)).join('\n')
    await run('kafka-configs', '--alter', ...entity, '--add-config', 'retention.ms=1000000')
    await vi.waitFor(async () => expect(await shown()).toContain('retention.ms=1000000'), SOON)
    await run('kafka-configs', '--alter', ...entity, '--delete-config', 'retention.ms')
    await vi.waitFor(async () => expect(await shown()).not.toContain('retention.ms'), SOON)
    const wrong = ['--alter', ...entity, '--add-config', 'retention.ms=soon']
    const { code } = await tools.run('kafka-configs', ['--bootstrap-server', subject().address, ...wrong])
    expect(code).not.toBe(0)
  })

  test('kafka-get-offsets, kafka-delete-records: offsets by time, and a log that begins later', async () => {
    const { topic } = await filled(5)
    const offsets = (time: string) => run('kafka-get-offsets', '--topic', topic, '--time', time)
    expect(await offsets('latest')).toEqual([`${topic}:0:5`])
    expect(await offsets('max-timestamp')).toEqual([`${topic}:0:4`])
    const directory = mkdtempSync(join(tmpdir(), 'causeway-client-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const file = join(directory, 'offsets.json')
    writeFileSync(file, JSON.stringify({ partitions: [{ topic, partition: 0, offset: 3 }], version: 1 }))
    expect(await run('kafka-delete-records', '--offset-json-file', file)).toContain(
      `partition: ${topic}-0\tlow_watermark: 3`
    )
    expect(await offsets('earliest')).toEqual([`${topic}:0:3`])
  })

  test('kafka-consumer-groups: members, lag, reset, delete, and a group that is not there', async () => {
    const { topic } = await filled(5)
    const group = fresh('group')
    const groups = (...args: readonly string[]) => run('kafka-consumer-groups', '--group', group, ...args)
    const described = async () => cells(await groups('--describe'))
    const reading = ['--bootstrap-server', subject().address, '--topic', topic, '--group-id', group]
    const consumer = await tools.start('kafka-verifiable-consumer', reading)
    onTestFinished(() => consumer.end())
    await vi.waitFor(async () => {
      expect(await described()).toContainEqual(expect.arrayContaining([group, topic, '0', '5', '5', '0']))
    }, SOON)
    expect((await groups('--describe', '--state')).join()).toMatch(/range +Stable +1/)
    expect((await groups('--describe', '--members')).join()).toMatch(/consumer-.+ 1 *(,|$)/)
    consumer.end()
    await consumer.result
    await groups('--reset-offsets', '--to-offset', '2', '--topic', topic, '--execute')
    expect(await described()).toContainEqual(expect.arrayContaining([group, topic, '0', '2', '5', '3']))
    expect(await run('kafka-consumer-groups', '--list')).toContain(group)
    await groups('--delete')
    expect(await run('kafka-consumer-groups', '--list')).not.toContain(group)
    const missing = ['--bootstrap-server', subject().address, '--describe', '--group', group]
    const { stdout, stderr } = await tools.run('kafka-consumer-groups', missing)
    expect(`${stdout}${stderr}`).toContain(`Group ${group} not found.`)
  })

  test('kafka-transactions: one that hangs is found and aborted, and its partition moves on', () =>
    withClient(subject(), async (client) => {
      const { at0, id, producer } = await hang(client)
      const where = ['--topic', at0.topic, '--partition', '0']
      const ids = [id, String(producer.producerId)]
      expect(cells(await run('kafka-transactions', 'list'))).toContainEqual(
        expect.arrayContaining([...ids, 'CompleteCommit'])
      )
      const producers = cells(await run('kafka-transactions', 'describe-producers', ...where))
      expect(producers[1]?.[0]).toBe(String(producer.producerId))
      expect(producers[1]?.at(-1)).toBe('3')
      const finding = ['find-hanging', ...where, '--max-transaction-timeout', '0']
      await vi.waitFor(async () => {
        const [, found] = cells(await run('kafka-transactions', ...finding))
        expect(found).toEqual(expect.arrayContaining([at0.topic, String(producer.producerId), '3']))
      }, SOON)
      await run('kafka-transactions', 'abort', ...where, '--start-offset', '3')
      await until(client, fetch(at0, { offset: 0 }), ({ lastStableOffset }) => lastStableOffset === 5)
      expect(cells(await run('kafka-transactions', ...finding)).length).toBe(1)
    }))
}

/** The cells of a table that a tool printed. */
function cells(lines: readonly string[]): string[][] {
  return lines.map((line) => line.trim().split(/\s+/))
}
