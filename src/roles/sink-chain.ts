import { fromPromise } from 'xstate'
import type { ByteBudget } from '../actors/budget.ts'
import { openTableFile } from '../actors/files/table-file.ts'
import { Gate } from '../actors/gate.ts'
import type { Cluster } from '../actors/kafka/cluster.ts'
import { type TopicPartition, tp } from '../actors/kafka/topic-partition.ts'
import { openDecoders } from '../actors/rows/open.ts'
import { createBuilder, type RowBinding } from '../actors/store/builder.ts'
import { type ChainStart, type OpenedChain, openChain } from '../actors/store/chain.ts'
import { commitEntry, publishEntry, writeHead } from '../actors/store/commit.ts'
import type { Entry } from '../actors/store/entry.ts'
import { entryPath } from '../actors/store/names.ts'
import type { OpenFiles } from '../actors/store/open-files.ts'
import { discardEntry, type Fingerprints, prepareChunk } from '../actors/store/prepare.ts'
import { repairEntry } from '../actors/store/repair.ts'
import { replayRange } from '../actors/store/replay.ts'
import type { Store } from '../actors/store/store.ts'
import type { SinkConfig } from '../config.ts'
import { Fault } from '../errors.ts'
import { chainMachine } from '../machines/chain.ts'
import type { ChainInput, EntryInput, LogRange, PrepareInput } from '../machines/chain-events.ts'

export interface ChainBinding {
  readonly cluster: Cluster
  readonly store: Store
  /** `<config name>.<instance>` */
  readonly sink: string
  readonly config: SinkConfig
  readonly budget: ByteBudget
  readonly openFiles: OpenFiles
  readonly fingerprints: Fingerprints
  readonly now: () => number
  /** Unique per call, lower-case hex. */
  readonly nonce: () => string
}

/** The chain machine with its actors: the log in the store, the topic in the cluster. */
export function createChain({
  cluster,
  store,
  sink,
  config,
  budget,
  openFiles,
  fingerprints,
  now,
  nonce
}: ChainBinding) {
  const rows: RowBinding = {
    layout: config,
    rotateRecords: config.rotateRecords,
    filesMax: config.filesPerChunk,
    deadLetters: config.deadLetters,
    decoder: openDecoders(config),
    file: (columns) => openTableFile(config.format, columns)
  }
  const opening = new Gate(OPENING_MAX)
  const preparing = new Gate(PREPARING_MAX)
  const lifetime = { ttlMs: config.ttlMs, now }
  return chainMachine.provide({
    actors: {
      builder: createBuilder({ ...rows, budget, openFiles, rotateBytes: config.rotateBytes }),
      open: fromPromise<OpenedChain, ChainInput>(async ({ input, signal }) => {
        const { topic, partition, topicId } = input
        const clusterId = cluster.cached()?.clusterId ?? ''
        const start = (within: AbortSignal) => startOf(cluster, input, config.start, within)
        const chain = { sink, topic, topicId, partition }
        const options = { chain, clusterId, start, ...lifetime }
        return opening.pass(() => openChain(store, options, signal), signal)
      }),
      prepare: fromPromise<Entry, PrepareInput>(({ input, signal }) => {
        const options = { ...input, nonce: nonce(), fingerprints, now }
        return preparing.pass(() => prepareChunk(store, options, signal), signal)
      }),
      commit: fromPromise<'won' | 'lost', EntryInput>(({ input, signal }) =>
        commitEntry(store, input.opened.chain, input.entry, signal, input.opened.last)
      ),
      publish: fromPromise<void, EntryInput>(({ input, signal }) =>
        publishEntry(store, input.entry, signal, lifetime)
      ),
      repair: fromPromise<void, EntryInput>(async ({ input, signal }) => {
        const { entry, opened } = input
        const replay = ({ from, to }: Entry, within: AbortSignal) =>
          replayRange({ cluster, budget, rows }, { ...opened.chain, from, to }, within)
        const options = { chain: opened.chain, entry, fingerprints, nonce: nonce(), replay, ...lifetime }
        await repairEntry(store, options, signal)
      }),
      head: fromPromise<void, EntryInput>(({ input, signal }) =>
        writeHead(store, input.opened.chain, input.entry, now(), signal)
      ),
      discard: fromPromise<void, EntryInput>(({ input, signal }) => discardEntry(store, input.entry, signal)),
      look: fromPromise<boolean, Pick<EntryInput, 'opened'>>(
        async ({ input: { opened }, signal }) =>
          (await store.stat(entryPath(opened.chain, opened.end), signal)) === undefined
      ),
      measure: fromPromise<LogRange, ChainInput>(async ({ input, signal }) => ({
        logStart: await offsetAt(cluster, input, EARLIEST, signal),
        logEnd: await offsetAt(cluster, input, LATEST, signal)
      }))
    }
  })
}

/** Chains that look for the end of their log at once, and that upload: a request costs memory that no budget knows. */
const OPENING_MAX = 16
const PREPARING_MAX = 8
const EARLIEST = -2
const LATEST = -1

async function startOf(
  cluster: Cluster,
  of: TopicPartition,
  reason: SinkConfig['start'],
  signal: AbortSignal
): Promise<ChainStart> {
  const offset = await offsetAt(cluster, of, reason === 'earliest' ? EARLIEST : LATEST, signal)
  return { offset, reason }
}

/** `LATEST` is the last stable offset: what an open transaction has written is still to come. */
async function offsetAt(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  timestamp: typeof EARLIEST | typeof LATEST,
  signal: AbortSignal
): Promise<number> {
  const offsets = await cluster.listOffsets([{ topic, partition, timestamp }], 1, signal)
  const offset = offsets.get(tp(topic, partition))
  if (offset !== undefined && offset >= 0) return offset
  throw new Fault('kafka-offset-unknown', `${tp(topic, partition)}: the leader told no offset`, {
    retryable: true
  })
}
