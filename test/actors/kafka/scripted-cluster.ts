import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { Cluster } from '../../../src/actors/kafka/cluster.ts'
import { type Reader, Writer } from '../../../src/actors/kafka/wire.ts'
import { encodeBatch } from '../../../src/records/record.ts'
import { ScriptedBroker } from './scripted-broker.ts'

/** A fetch request as the script sees it. */
export interface Asked {
  readonly node: number
  readonly maxWaitMs: number
  /** 1: read_committed. */
  readonly isolation: number
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly partitions: readonly {
    readonly partition: number
    readonly leaderEpoch: number
    readonly fetchOffset: number
    readonly maxBytes: number
  }[]
  readonly forgotten: readonly number[]
}

export interface Told {
  readonly error?: number
  readonly sessionId?: number
  readonly partitions: readonly {
    readonly partition: number
    readonly error?: number
    readonly highWatermark?: number
    readonly recordSet?: Buffer
  }[]
}

export interface ScriptedTopic {
  id: string
  error: number
  /** By partition. */
  leaders: { node: number; epoch: number }[]
}

/** Keeps a long poll waiting a little, as brokers do when there is nothing. */
const IDLE_MS = 10

/** Two scripted brokers that agree on one topic `t`; what fetches and epoch questions get, the test says. */
export class ScriptedCluster {
  readonly topic: ScriptedTopic = { id: '11111111111111111111111111111111', error: 0, leaders: [] }
  readonly asked: Asked[] = []
  /** Answers a fetch; `undefined` is an empty answer after a short wait. */
  fetch: (asked: Asked) => Told | undefined = () => undefined
  /** Where an epoch ends, by partition. */
  epochEnd: (partition: number, epoch: number) => number = () => 2 ** 40
  readonly epochQuestions: {
    readonly partition: number
    readonly current: number
    readonly epoch: number
  }[] = []
  brokers: readonly ScriptedBroker[] = []

  static async start(metadataVersion = 12): Promise<{ world: ScriptedCluster; cluster: Cluster }> {
    const world = new ScriptedCluster()
    const start = (node: number) =>
      ScriptedBroker.start({
        versions: { 1: 11, 3: metadataVersion, 23: 3 },
        scripts: {
          1: (body) => world.#fetched(node, body),
          3: (_, { version }) => (version >= 10 ? world.#flexible() : world.#plain()),
          23: (body) => world.#epochs(body)
        }
      })
    world.brokers = [await start(0), await start(1)]
    const cluster = new Cluster({
      name: 'scripted',
      brokers: world.brokers.map(({ port }) => `127.0.0.1:${port}`),
      clientId: 'test',
      connectTimeoutMs: 2_000,
      requestTimeoutMs: 2_000,
      log: pino({ level: 'silent' })
    })
    onTestFinished(() => cluster.close())
    return { world, cluster }
  }

  async #fetched(node: number, body: Reader): Promise<Buffer> {
    const asked = readFetch(node, body)
    this.asked.push(asked)
    let told = this.fetch(asked)
    if (told === undefined) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(IDLE_MS, asked.maxWaitMs)))
      told = { sessionId: asked.sessionId, partitions: [] }
    }
    return writeFetched(told)
  }

  #flexible(): Buffer {
    const writer = new Writer().int32(0).uvarint(this.brokers.length + 1)
    for (const [node, { port }] of this.brokers.entries()) {
      writer.int32(node).compactString('127.0.0.1').int32(port).uvarint(0).noTags()
    }
    writer.compactString('scripted-cluster').int32(0).uvarint(2)
    writer.int16(this.topic.error).compactString('t')
    for (const byte of Buffer.from(this.topic.id, 'hex')) writer.int8((byte << 24) >> 24)
    writer.boolean(false).uvarint(this.topic.leaders.length + 1)
    for (const [partition, { node, epoch }] of this.topic.leaders.entries()) {
      writer.int16(0).int32(partition).int32(node).int32(epoch).uvarint(1).uvarint(1).uvarint(1).noTags()
    }
    return writer.int32(0).noTags().noTags().take()
  }

  #plain(): Buffer {
    const writer = new Writer().int32(0).int32(this.brokers.length)
    for (const [node, { port }] of this.brokers.entries()) {
      writer.int32(node).string('127.0.0.1').int32(port).string(null)
    }
    writer.string('scripted-cluster').int32(0).int32(1)
    writer.int16(this.topic.error).string('t').boolean(false).int32(this.topic.leaders.length)
    for (const [partition, { node, epoch }] of this.topic.leaders.entries()) {
      writer.int16(0).int32(partition).int32(node).int32(epoch).int32(0).int32(0).int32(0)
    }
    return writer.take()
  }

  #epochs(body: Reader): Buffer {
    body.int32()
    const topics = body.array(() => {
      body.string()
      return body.array(() => ({ partition: body.int32(), current: body.int32(), epoch: body.int32() }))
    })
    const questions = topics.flat()
    this.epochQuestions.push(...questions)
    const writer = new Writer().int32(0).int32(1).string('t').int32(questions.length)
    for (const { partition, epoch } of questions) {
      writer.int16(0).int32(partition).int32(epoch).int64(this.epochEnd(partition, epoch))
    }
    return writer.take()
  }
}

function readFetch(node: number, body: Reader): Asked {
  body.int32()
  const maxWaitMs = body.int32()
  body.int32()
  body.int32()
  const isolation = body.int8()
  const sessionId = body.int32()
  const sessionEpoch = body.int32()
  const topics = body.array(() => {
    body.string()
    return body.array(() => {
      const partition = body.int32()
      const leaderEpoch = body.int32()
      const fetchOffset = body.int64()
      body.int64()
      return { partition, leaderEpoch, fetchOffset, maxBytes: body.int32() }
    })
  })
  const forgotten = body.array(() => {
    body.string()
    return body.array(() => body.int32())
  })
  return {
    node,
    maxWaitMs,
    isolation,
    sessionId,
    sessionEpoch,
    partitions: topics.flat(),
    forgotten: forgotten.flat()
  }
}

function writeFetched({ error = 0, sessionId = 0, partitions }: Told): Buffer {
  const writer = new Writer().int32(0).int16(error).int32(sessionId).int32(1).string('t')
  writer.int32(partitions.length)
  const parts: Buffer[] = []
  for (const {
    partition,
    error: code = 0,
    highWatermark = 1_000,
    recordSet = Buffer.alloc(0)
  } of partitions) {
    writer.int32(partition).int16(code).int64(highWatermark).int64(highWatermark).int64(0).int32(-1).int32(-1)
    parts.push(writer.int32(recordSet.length).take(), recordSet)
  }
  return Buffer.concat([...parts, writer.take()])
}

/** `count` records from `offset`, written by the leader of `epoch`. */
export function batchAt(offset: number, count: number, epoch = 0, bytes = 10): Buffer {
  const value = Buffer.alloc(bytes, 'v')
  const records = Array.from({ length: count }, () => ({ key: null, value, headers: [], timestamp: 0 }))
  const batch = encodeBatch(records, { codec: 0 })
  batch.writeBigInt64BE(BigInt(offset), 0)
  batch.writeInt32BE(epoch, 12)
  return batch
}
