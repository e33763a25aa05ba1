import { setTimeout as delay } from 'node:timers/promises'
import { RawClient, type RawRequest } from './raw-client.ts'
import { type At, createTopic, fetch, metadata, type Producer } from './requests.ts'
import { findCoordinator, initProducerId } from './transaction-requests.ts'

/** A broker under test: ours or Apache Kafka. */
export interface Subject {
  readonly address: string
  /** The next `times` requests of this API are served, and in place of their answers the connection is closed. */
  loseReplies(api: string, times: number): { readonly hits: number }
}

/** "Not yet", from coordinators that load or finish a transaction: 14, 15, 16, 51. */
const NOT_YET = new Set([14, 15, 16, 51])
const DEADLINE_MS = 15_000

let names = 0

/** A name that no other test has used on this broker. */
export function fresh(what: string): string {
  return `${what}-${process.pid}-${names++}`
}

/** Connects, runs the test, and closes the connections it opened. */
export async function withClient(
  subject: Subject,
  test: (client: RawClient, another: () => Promise<RawClient>) => Promise<void>
): Promise<void> {
  const clients: RawClient[] = []
  const open = async () => {
    const client = await RawClient.connect(subject.address)
    clients.push(client)
    return client
  }
  try {
    await test(await open(), open)
  } finally {
    for (const client of clients) client.close()
  }
}

/** Partition 0 of a new topic, whose name no other test has used unless it is given. */
export async function newPartition(
  client: RawClient,
  config: Readonly<{ [name: string]: string }> = {},
  partitions = 1,
  topic = fresh('topic')
): Promise<At> {
  const error = await settled(client, createTopic(topic, partitions, config), (code) => code)
  if (error !== 0) throw new Error(`the topic ${topic} was refused: ${error}`)
  // Kafka answers before the partitions have a leader everywhere, and before the metadata say so.
  await until(client, metadata(topic), (answer) => answer.error === 0)
  for (let partition = 0; partition < partitions; partition++) {
    await until(client, fetch({ topic, partition }, { offset: 0 }), (answer) => answer.error === 0)
  }
  return { topic, partition: 0 }
}

/** Repeats a request for as long as its error says "not yet". */
export async function settled<Response>(
  client: RawClient,
  request: RawRequest<Response>,
  errorOf: (response: Response) => number
): Promise<Response> {
  const deadline = Date.now() + DEADLINE_MS
  for (;;) {
    const response = await client.call(request)
    if (!NOT_YET.has(errorOf(response))) return response
    if (Date.now() > deadline) throw new Error(`still ${errorOf(response)} after ${DEADLINE_MS} ms`)
    await delay(20)
  }
}

/** Repeats a request until its answer is as wanted. */
export async function until<Response>(
  client: RawClient,
  request: RawRequest<Response>,
  wanted: (response: Response) => boolean
): Promise<Response> {
  const deadline = Date.now() + DEADLINE_MS
  for (;;) {
    const response = await client.call(request)
    if (wanted(response)) return response
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(response)} after ${DEADLINE_MS} ms`)
    await delay(20)
  }
}

/** A producer under a transactional id, once the coordinator gives it out. */
export async function newProducer(
  client: RawClient,
  id: string | null,
  timeoutMs?: number
): Promise<Producer> {
  if (id !== null) await settled(client, findCoordinator('transaction', id), (code) => code)
  const { error, ...producer } = await settled(
    client,
    initProducerId(id, timeoutMs),
    (answer) => answer.error
  )
  if (error !== 0) throw new Error(`InitProducerId answered ${error}`)
  return producer
}
