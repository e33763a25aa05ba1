import { type Api, defineApi, readTopics, type Services, type TopicOf, writeTopics } from '../api.ts'
import { codeOf, codes } from '../errors.ts'
import {
  type FetchContext,
  FetchSessions,
  type SessionPartition,
  type SessionRequest
} from '../fetch-sessions.ts'
import type { PartitionLog } from '../log.ts'
import type { AbortedTransaction } from '../producers.ts'
import type { Reader } from '../wire.ts'
import { ledHere, replicaHere } from './leading.ts'

interface FetchRequest extends SessionRequest {
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly committed: boolean
  /** A consumer that knows of racks (version 11 and later) may read from any replica (KIP-392). */
  readonly fromFollowers: boolean
}

interface PartitionAnswer {
  readonly wanted: SessionPartition
  readonly error: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly startOffset: number
  readonly aborted: readonly AbortedTransaction[] | null
  readonly records: Buffer
}

interface FetchResponse {
  readonly error: number
  readonly sessionId: number
  readonly partitions: readonly PartitionAnswer[]
}

/** Fetch (key 1), with incremental sessions. */
export function fetchApi(services: Services): Api {
  const sessions = new FetchSessions()
  return defineApi<FetchRequest, FetchResponse>({
    key: 1,
    name: 'Fetch',
    versions: [4, 12],
    flexibleFrom: 12,
    decode: readRequest,
    subject: (request) =>
      sessions
        .partitionsOf(request)
        .map(({ topic, partition }) => `${topic}-${partition}`)
        .join(' '),
    handle: (request) => {
      const context = sessions.open(request)
      if (typeof context === 'number') return { error: context, sessionId: 0, partitions: [] }
      const first = fetch(services, request, context)
      if (first.ready || request.maxWaitMs <= 0) return respond(context, first.answers)
      return wait(services, request, context, first.bytes)
    },
    refuse: (request, code) => {
      const context = sessions.open(request)
      if (typeof context === 'number') return { error: context, sessionId: 0, partitions: [] }
      return respond(
        context,
        context.partitions().map((wanted) => failed(wanted, code))
      )
    },
    encode: (writer, { error, sessionId, partitions }, version) => {
      writer.int32(0)
      if (version >= 7) writer.int16(error).int32(sessionId)
      writeTopics(writer, byTopic(partitions), (_, answer) => {
        writer.int32(answer.wanted.partition).int16(answer.error)
        writer.int64(answer.highWatermark).int64(answer.lastStableOffset)
        if (version >= 5) writer.int64(answer.startOffset)
        writer.structs(answer.aborted, (_, { producerId, firstOffset }) => {
          writer.int64(producerId).int64(firstOffset)
        })
        if (version >= 11) writer.int32(-1) // Preferred read replica.
        writer.bytes(answer.records)
      })
    }
  })
}

function readRequest(reader: Reader, version: number): FetchRequest {
  reader.int32() // Replica id: only consumers come here.
  const maxWaitMs = reader.int32()
  const minBytes = reader.int32()
  const maxBytes = reader.int32()
  const committed = reader.int8() === 1
  const sessionId = version >= 7 ? reader.int32() : 0
  const sessionEpoch = version >= 7 ? reader.int32() : -1
  const topics = readTopics(reader, () => {
    const partition = reader.int32()
    const leaderEpoch = version >= 9 ? reader.int32() : -1
    const offset = reader.int64()
    if (version >= 12) reader.int32() // Last fetched epoch: followers only.
    if (version >= 5) reader.int64() // Log start offset: followers only.
    return { partition, leaderEpoch, offset, maxBytes: reader.int32() }
  })
  const forgotten =
    version >= 7
      ? reader.structs(() => ({ topic: reader.string(), partitions: reader.array(() => reader.int32()) }))
      : []
  return {
    ...{ maxWaitMs, minBytes, maxBytes, committed, sessionId, sessionEpoch, fromFollowers: version >= 11 },
    partitions: topics.flatMap(({ topic, partitions }) => partitions.map((one) => ({ topic, ...one }))),
    forgotten: forgotten.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition }))
    )
  }
}

interface Fetched {
  readonly answers: readonly PartitionAnswer[]
  readonly bytes: number
  /** Enough bytes, or an error that the client should hear of at once. */
  readonly ready: boolean
}

/** The first partition with data may exceed the limits, so that a large batch cannot block a consumer. */
function fetch(services: Services, request: FetchRequest, context: FetchContext): Fetched {
  const open = request.fromFollowers ? replicaHere : ledHere
  let bytes = 0
  let failures = 0
  const answers = context.partitions().map((wanted) => {
    try {
      const log = open(services, wanted.topic, wanted.partition, wanted.leaderEpoch)
      const maxBytes = Math.max(0, Math.min(wanted.maxBytes, request.maxBytes - bytes))
      const { records, aborted } = log.read(wanted.offset, maxBytes, request.committed, bytes === 0)
      bytes += records.length
      return {
        wanted,
        error: codes.NONE,
        highWatermark: log.endOffset,
        lastStableOffset: log.lastStableOffset,
        startOffset: log.startOffset,
        aborted,
        records
      }
    } catch (error) {
      failures++
      return failed(wanted, codeOf(error))
    }
  })
  const ready = failures > 0 || answers.length === 0 || bytes >= request.minBytes
  return { answers, bytes, ready }
}

/** Long poll: looks again once enough bytes have arrived in the partitions, and gives what there is in the end. */
function wait(
  services: Services,
  request: FetchRequest,
  context: FetchContext,
  found: number
): Promise<FetchResponse> {
  const logs = logsOf(services, context)
  return new Promise((resolve) => {
    let missing = request.minBytes - found
    const finish = ({ answers }: Fetched) => {
      for (const log of logs) log.watchers.delete(watch)
      services.timers.cancel(timer)
      resolve(respond(context, answers))
    }
    const watch = (bytes: number) => {
      missing -= bytes
      if (missing > 0 && bytes > 0) return
      const again = fetch(services, request, context)
      if (again.ready) finish(again)
      else missing = request.minBytes - again.bytes
    }
    const timer = services.timers.after(request.maxWaitMs, () => finish(fetch(services, request, context)))
    for (const log of logs) log.watchers.add(watch)
  })
}

function respond(context: FetchContext, answers: readonly PartitionAnswer[]): FetchResponse {
  const partitions = answers.filter((answer) => context.tell(answer.wanted, answer))
  return { error: codes.NONE, sessionId: context.sessionId, partitions }
}

function logsOf({ topics }: Services, context: FetchContext): PartitionLog[] {
  const logs: PartitionLog[] = []
  for (const { topic, partition } of context.partitions()) {
    const log = topics.get(topic)?.partitions[partition]
    if (log) logs.push(log)
  }
  return logs
}

/** Neighbours of one topic under one name; the order of the partitions stays. */
function byTopic(answers: readonly PartitionAnswer[]): TopicOf<PartitionAnswer>[] {
  const topics: { topic: string; partitions: PartitionAnswer[] }[] = []
  for (const answer of answers) {
    const last = topics.at(-1)
    if (last?.topic === answer.wanted.topic) last.partitions.push(answer)
    else topics.push({ topic: answer.wanted.topic, partitions: [answer] })
  }
  return topics
}

function failed(wanted: SessionPartition, error: number): PartitionAnswer {
  return {
    wanted,
    error,
    highWatermark: -1,
    lastStableOffset: -1,
    startOffset: -1,
    aborted: null,
    records: Buffer.alloc(0)
  }
}
