import {
  type Api,
  defineApi,
  mapPartitions,
  readTopics,
  type Services,
  subjectOf,
  type TopicOf,
  writeTopics
} from '../api.ts'
import { codeOf, codes } from '../errors.ts'
import type { PartitionLog } from '../log.ts'
import type { AbortedTransaction } from '../producers.ts'
import { checkEpoch } from './offsets.ts'

interface FetchPartition {
  readonly partition: number
  readonly leaderEpoch: number
  readonly offset: number
  readonly maxBytes: number
}

interface FetchRequest {
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly committed: boolean
  readonly sessionId: number
  readonly topics: readonly TopicOf<FetchPartition>[]
}

interface PartitionAnswer {
  readonly partition: number
  readonly error: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly startOffset: number
  readonly aborted: readonly AbortedTransaction[] | null
  readonly records: Buffer
}

interface FetchResponse {
  readonly error: number
  readonly topics: readonly TopicOf<PartitionAnswer>[]
}

/** Fetch (key 1). No session is granted: session id 0 makes clients send full requests. */
export function fetchApi(services: Services): Api {
  return defineApi<FetchRequest, FetchResponse>({
    key: 1,
    name: 'Fetch',
    versions: [4, 12],
    flexibleFrom: 12,
    decode: (reader, version) => {
      reader.int32() // Replica id: only consumers come here.
      const maxWaitMs = reader.int32()
      const minBytes = reader.int32()
      const maxBytes = reader.int32()
      const committed = reader.int8() === 1
      const sessionId = version >= 7 ? reader.int32() : 0
      if (version >= 7) reader.int32() // Session epoch.
      const topics = readTopics(reader, () => {
        const partition = reader.int32()
        const leaderEpoch = version >= 9 ? reader.int32() : -1
        const offset = reader.int64()
        if (version >= 12) reader.int32() // Last fetched epoch: followers only.
        if (version >= 5) reader.int64() // Log start offset: followers only.
        return { partition, leaderEpoch, offset, maxBytes: reader.int32() }
      })
      return { maxWaitMs, minBytes, maxBytes, committed, sessionId, topics }
    },
    subject: ({ topics }) => subjectOf(topics),
    handle: (request) => {
      if (request.sessionId !== 0) return { error: codes.FETCH_SESSION_ID_NOT_FOUND, topics: [] }
      const first = fetch(services, request)
      if (first.ready || request.maxWaitMs <= 0) return { error: codes.NONE, topics: first.topics }
      return wait(services, request, first.bytes)
    },
    refuse: ({ topics }, code) => ({
      error: codes.NONE,
      topics: mapPartitions(topics, ({ partition }) => failed(partition, code))
    }),
    encode: (writer, { error, topics }, version) => {
      writer.int32(0)
      if (version >= 7) writer.int16(error).int32(0)
      writeTopics(writer, topics, (_, answer) => {
        writer.int32(answer.partition).int16(answer.error)
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

interface Fetched {
  readonly topics: TopicOf<PartitionAnswer>[]
  readonly bytes: number
  /** Enough bytes, or an error that the client should hear of at once. */
  readonly ready: boolean
}

/** The first partition with data may exceed the limits, so that a large batch cannot block a consumer. */
function fetch({ topics }: Services, request: FetchRequest): Fetched {
  let bytes = 0
  let failures = 0
  const answers = mapPartitions(request.topics, (wanted, topic) => {
    try {
      const log = topics.partition(topic, wanted.partition)
      checkEpoch(wanted.leaderEpoch, log)
      const maxBytes = Math.max(0, Math.min(wanted.maxBytes, request.maxBytes - bytes))
      const { records, aborted } = log.read(wanted.offset, maxBytes, request.committed, bytes === 0)
      bytes += records.length
      return {
        partition: wanted.partition,
        error: codes.NONE,
        highWatermark: log.endOffset,
        lastStableOffset: log.lastStableOffset,
        startOffset: log.startOffset,
        aborted,
        records
      }
    } catch (error) {
      failures++
      return failed(wanted.partition, codeOf(error))
    }
  })
  const empty = answers.length === 0
  return { topics: answers, bytes, ready: failures > 0 || empty || bytes >= request.minBytes }
}

/** Long poll: looks again once enough bytes have arrived in the partitions, and gives what there is in the end. */
function wait(services: Services, request: FetchRequest, found: number): Promise<FetchResponse> {
  const logs = logsOf(services, request)
  return new Promise((resolve) => {
    let missing = request.minBytes - found
    const finish = ({ topics }: Fetched) => {
      for (const log of logs) log.watchers.delete(watch)
      services.timers.cancel(timer)
      resolve({ error: codes.NONE, topics })
    }
    const watch = (bytes: number) => {
      missing -= bytes
      if (missing > 0 && bytes > 0) return
      const again = fetch(services, request)
      if (again.ready) finish(again)
      else missing = request.minBytes - again.bytes
    }
    const timer = services.timers.after(request.maxWaitMs, () => finish(fetch(services, request)))
    for (const log of logs) log.watchers.add(watch)
  })
}

function logsOf({ topics }: Services, request: FetchRequest): PartitionLog[] {
  const logs: PartitionLog[] = []
  for (const { topic, partitions } of request.topics) {
    for (const { partition } of partitions) {
      const log = topics.get(topic)?.partitions[partition]
      if (log) logs.push(log)
    }
  }
  return logs
}

function failed(partition: number, error: number): PartitionAnswer {
  return {
    partition,
    error,
    highWatermark: -1,
    lastStableOffset: -1,
    startOffset: -1,
    aborted: null,
    records: Buffer.alloc(0)
  }
}
