import { appendFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { encodeBatch } from '../../../src/records/record.ts'
import { newProducer, settled, until } from '../../conformance/broker/bench.ts'
import { RawClient } from '../../conformance/broker/raw-client.ts'
import {
  type At,
  batch,
  createTopic,
  listOffset,
  type Producer,
  produce
} from '../../conformance/broker/requests.ts'
import { addPartitions, endTxn } from '../../conformance/broker/transaction-requests.ts'
import { seededRandom } from '../../support/random.ts'
import { type BrokerProcess, spawnBroker } from './broker-process.ts'
import { committedValues, temporaryDirectory } from './support.ts'

const KILLS = 8
const ID = 'carrier'
const partitions: readonly At[] = [
  { topic: 'road', partition: 0 },
  { topic: 'road', partition: 1 }
]

/** What the writer knows of a transaction; the outcome is unknown when the answer to its end never came. */
interface Written {
  outcome: 'committed' | 'aborted' | 'unknown'
  readonly values: readonly string[]
}

test('kill -9 at any moment loses nothing that was acknowledged and leaves every transaction whole', async () => {
  const random = seededRandom()
  const dataDir = temporaryDirectory()
  const written: Written[] = []
  let broker = await spawnBroker(dataDir)
  onTestFinished(() => broker.kill())
  const first = await RawClient.connect(broker.address)
  await first.call(createTopic('road', 2))
  first.close()

  for (let kill = 0; kill < KILLS; kill++) {
    const ended = writeUntilCut(broker, random, written)
    await delay(20 + random() * 150)
    await broker.kill()
    await ended
    if (random() < 0.5) tearTails(dataDir, random)
    broker = await spawnBroker(dataDir, broker.port)
    await check(broker, written)
  }
  expect(written.filter(({ outcome }) => outcome === 'committed').length).toBeGreaterThan(KILLS)
}, 60_000)

/** Writes one transaction after the other until the broker is gone. */
async function writeUntilCut(broker: BrokerProcess, random: () => number, written: Written[]): Promise<void> {
  const client = await RawClient.connect(broker.address)
  try {
    const producer = await newProducer(client, ID)
    for (let sequence = 0; ; ) sequence += await writeTransaction(client, producer, sequence, random, written)
  } catch (error) {
    if (!String(error).includes('the connection was closed')) throw error
  } finally {
    client.close()
  }
}

async function writeTransaction(
  client: RawClient,
  producer: Producer,
  sequence: number,
  random: () => number,
  written: Written[]
): Promise<number> {
  const number = written.length
  const values = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, index) => `${number}.${index}`)
  const transaction: Written = { outcome: 'aborted', values }
  written.push(transaction)
  const commit = random() < 0.8
  expect(await settled(client, addPartitions(ID, producer, partitions), ([code]) => code ?? 0)).toEqual([
    0, 0
  ])
  const sent = values.flatMap((value, index) =>
    partitions.map((at0) => client.call(produce(at0, single(value, producer, sequence + index), ID)))
  )
  for (const { error } of await Promise.all(sent)) expect(error).toBe(0)
  if (commit) transaction.outcome = 'unknown'
  expect(await client.call(endTxn(ID, producer, commit))).toBe(0)
  if (commit) transaction.outcome = 'committed'
  return values.length
}

function single(value: string, producer: Producer, baseSequence: number): Buffer {
  const record = { key: null, value: Buffer.from(value), headers: [], timestamp: Date.now() }
  return encodeBatch([record], { codec: 0, ...producer, baseSequence, transactional: true })
}

/** A write that the kill cut short: the beginning of a batch behind the newest one of a partition. */
function tearTails(dataDir: string, random: () => number): void {
  const logs = join(dataDir, 'logs')
  const torn = batch(5)
  for (const name of readdirSync(logs, { recursive: true, encoding: 'utf8' })) {
    const length = 1 + Math.floor(random() * (torn.length - 1))
    if (name.endsWith('.log')) appendFileSync(join(logs, name), torn.subarray(0, length))
  }
}

/** Settles what is open, as the next writer would, and compares both partitions with what the writer knows. */
async function check(broker: BrokerProcess, written: Written[]): Promise<void> {
  const client = await RawClient.connect(broker.address)
  await newProducer(client, ID)
  const contents: string[][] = []
  for (const at0 of partitions) {
    const { offset } = await client.call(listOffset(at0, -1))
    await until(client, listOffset(at0, -1, true), (stable) => stable.offset >= offset)
    contents.push(await committedValues(client, at0))
  }
  client.close()
  const [one = [], two] = contents
  expect(two).toEqual(one)
  // What is unknown becomes known here: all of it is there, or nothing.
  for (const transaction of written) {
    if (transaction.outcome !== 'unknown') continue
    transaction.outcome = transaction.values.every((value) => one.includes(value)) ? 'committed' : 'aborted'
  }
  expect(one).toEqual(written.flatMap(({ outcome, values }) => (outcome === 'committed' ? values : [])))
}
