import { fromPromise, type SnapshotFrom } from 'xstate'
import { createFileFeed } from '../actors/feed/ndjson-file.ts'
import { createXStream } from '../actors/feed/x-stream.ts'
import type { IngestTopics } from '../actors/ingest/batch.ts'
import { prepareIngest } from '../actors/ingest/prepare.ts'
import { createIngestWriter, IngestStats } from '../actors/ingest/writer.ts'
import { createMeter } from '../actors/meter.ts'
import type { IngestConfig } from '../config.ts'
import { Fault } from '../errors.ts'
import { type IngestInput, ingestMachine } from '../machines/ingest.ts'
import { codecs } from '../records/codecs.ts'
import type { Role, RoleContext, RoleView } from './role.ts'
import { flowOf, stateOf } from './view.ts'

/**
 * The ingest: events of one source → one topic, exactly once.
 *
 *     X stream or file ─feed─▶ chunks of lines ─writer─one transaction─▶ topic (key: the event's id)
 *                                                          ├──────────▶ <prefix>.dead.internal
 *                                                          └──────────▶ <prefix>.positions.internal
 *
 * The source's cursor and the ids of the events become durable in the transaction that makes the events visible. After
 * any doubt the feed starts again from that cursor, and what it repeats is known by its id.
 */
export function createIngest(context: RoleContext, instance: string): Role {
  const config = context.config.ingest[instance]
  if (config === undefined) throw new Fault('config-invalid', `the config has no [ingest.${instance}]`)
  const prefix = `${context.config.name}.ingest.${instance}`
  const stats = new IngestStats()
  return {
    role: 'ingest',
    instance,
    logic: bindIngest(context, config, prefix, stats),
    input: {
      commitIntervalMs: config.commitIntervalMs,
      batchBytes: config.batchBytes,
      flow: { limitBytes: context.budget.limitBytes }
    } satisfies IngestInput,
    describe: (snapshot) => describeIngest(snapshot as IngestSnapshot, stats) // The supervisor gives back what `logic` made.
  }
}

type IngestSnapshot = SnapshotFrom<typeof ingestMachine>

function bindIngest(context: RoleContext, config: IngestConfig, prefix: string, stats: IngestStats) {
  const cluster = context.cluster(config.cluster)
  let topics: IngestTopics | undefined
  const writer = createIngestWriter({
    cluster,
    transactionalId: prefix,
    transactionTimeoutMs: config.transactionTimeoutMs,
    source: config.source.type === 'x' ? 'x' : `file ${config.source.path}`,
    // A file is read from its cursor: it repeats nothing, and the same id twice in it is meant.
    recentIdsMs: config.source.type === 'x' ? config.recentIdsMs : undefined,
    batchBytes: config.batchBytes,
    topics: () => {
      if (topics === undefined) throw new Fault('not-prepared', `${prefix}: its topics are not prepared`)
      return topics
    },
    stats,
    log: context.log,
    now: context.now
  })
  return ingestMachine.provide({
    actors: {
      prepare: fromPromise<void>(async ({ signal }) => {
        stats.reset()
        const { topic, partitions, replication, compression } = config
        topics = await prepareIngest(
          { cluster, topic, partitions, replication, prefix, codec: codecs[compression] },
          signal
        )
      }),
      writer,
      feed: createFeed(context, config, prefix),
      meter: createMeter(context.budget)
    }
  })
}

/** Chunks of a file: a transaction takes whole ones. */
const READ_BYTES_MAX = 256 * 1024

function createFeed({ budget, now }: RoleContext, { source, batchBytes }: IngestConfig, prefix: string) {
  if (source.type === 'file') {
    return createFileFeed({ path: source.path, budget, readBytes: Math.min(batchBytes, READ_BYTES_MAX) })
  }
  const { url, token, keywords, backfillMs } = source
  const backfillMinutes = Math.round(backfillMs / 60_000)
  return createXStream({ url, token, keywords, tag: `causeway:${prefix}`, backfillMinutes, budget, now })
}

function describeIngest(snapshot: IngestSnapshot, stats: IngestStats): RoleView {
  const { context, children } = snapshot
  const { cursor, feed, fault, waitingFor } = context
  const isStreaming = feed?.state === 'streaming' || feed?.state === 'reading'
  const notes = [
    ...(fault === undefined ? [] : [`${fault.message} (${fault.code})`]),
    ...(waitingFor === '' ? [] : [waitingFor]),
    ...(feed === undefined ? [] : [`feed ${feed.state}: ${feed.reason}`]),
    ...(cursor === undefined ? [] : [`cursor ${JSON.stringify(cursor)}`])
  ]
  return {
    state: stateOf(snapshot.value),
    ready: snapshot.matches({ running: { live: 'carrying' } }) && isStreaming,
    flow: flowOf(children),
    partitions: [],
    counters: stats.counters,
    notes
  }
}
