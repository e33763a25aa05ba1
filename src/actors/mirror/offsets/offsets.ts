import type { Logger } from 'pino'
import { topicMatcher } from '../../../config/topics.ts'
import type { OffsetsConfig } from '../../../config.ts'
import { toFault } from '../../../errors.ts'
import type { OffsetsCommand, OffsetsReport } from '../../../machines/offsets-protocol.ts'
import type { Cluster } from '../../kafka/cluster.ts'
import { kafkaFault } from '../../kafka/errors.ts'
import { type GroupSeat, offsetCommitApi } from '../../kafka/group-offsets.ts'
import type { Link } from '../../kafka/link.ts'
import { tp } from '../../kafka/topic-partition.ts'
import { backoffMs, pause, unlessAborted } from '../../kafka/waiting.ts'
import { fromTask, type TaskScope } from '../../task.ts'
import type { OffsetBook } from './book.ts'
import { Checkpoints } from './checkpoints.ts'
import { TargetEnds } from './ends.ts'
import { AnchorKeeper } from './keeper.ts'
import { beat, OffsetSyncs } from './syncs.ts'
import { Translator } from './translator.ts'

/**
 * Looks after offsets for consumers, beside the copying: keeps anchors, writes what MirrorMaker 2's clients read, gives
 * groups of the target their offsets, and commits our own positions to our group on the source for lag tools.
 *
 * Each of these goes its own rounds. What fails is tried again and told in a note; the copying never waits for any of it.
 */
export interface OffsetsOptions {
  readonly config: OffsetsConfig
  readonly source: Cluster
  readonly target: Cluster
  readonly book: OffsetBook
  readonly offsetsTopic: string
  readonly replication: number
  /** Whether every committed record of a topic is copied. */
  readonly isWhole: (topic: string) => boolean
  /** Whether a group is one of our own: nobody goes on with those on the target. */
  readonly isOwn: (group: string) => boolean
  /** One heartbeat acknowledged in the current generation. */
  readonly confirm: (signal: AbortSignal) => Promise<void>
  readonly log: Pick<Logger, 'warn'>
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** How often anchors, syncs and our own group's offsets are written, unless groups are asked more often. */
const ROUND_MS = 5_000
/** How often anchors below the source's log are looked for. */
const DROP_MS = 60_000
const FINISH_TIMEOUT_MS = 2_000
/** Some megabytes each, of both clusters. */
const SCANS_PER_ROUND = 16
/** A failure that the next attempt mends is not worth a note. */
const FAILURES_TOLD = 2

/** Of all members, the owner of this shard does what one of them has to do. */
const LEADING_SHARD = 0

/** Something that is done again and again. */
interface Round {
  /** What a note says of it when it fails. */
  readonly what: string
  readonly everyMs: number
  /** Returns what did not work of it, in words. */
  readonly go: (signal: AbortSignal) => Promise<readonly string[]>
}

/** Where a mirror keeps its anchors, on its target. */
export const offsetsTopicOf = (prefix: string) => `${prefix}.offsets.internal`

export function createOffsets(options: OffsetsOptions) {
  return fromTask<void, undefined, OffsetsCommand, OffsetsReport>((scope) =>
    new Offsets(options, scope).run()
  )
}

class Offsets {
  readonly #options: OffsetsOptions
  readonly #signal: AbortSignal
  readonly #report: (event: OffsetsReport) => void
  readonly #finish = new AbortController()
  readonly #keeper: AnchorKeeper
  readonly #notes = new Map<string, readonly string[]>()
  /** What our group has, by `tp`. */
  readonly #committed = new Map<string, number>()
  #seat: GroupSeat | undefined
  #leads = false

  constructor(
    options: OffsetsOptions,
    { signal, report, receive }: TaskScope<undefined, OffsetsCommand, OffsetsReport>
  ) {
    this.#options = options
    this.#signal = signal
    this.#report = report
    this.#keeper = new AnchorKeeper(options)
    receive((command) => this.#obey(command))
  }

  async run(): Promise<void> {
    const working = AbortSignal.any([this.#signal, this.#finish.signal])
    await Promise.all(this.#rounds().map((round) => this.#repeat(round, working)))
    this.#signal.throwIfAborted()
    const patience = AbortSignal.any([this.#signal, AbortSignal.timeout(FINISH_TIMEOUT_MS)])
    await Promise.allSettled([this.#keeper.keep(patience), this.#commit(patience)])
    this.#report({ type: 'offsets.settled' })
  }

  #obey(command: OffsetsCommand): void {
    switch (command.type) {
      case 'seat.taken':
        this.#seat = command.seat
        this.#leads = command.shards.includes(LEADING_SHARD)
        this.#options.book.own(command.shards)
        // Another member may have committed older offsets of partitions that have come to us.
        this.#committed.clear()
        break
      case 'seat.lost':
        this.#seat = undefined
        this.#leads = false
        this.#options.book.own([])
        break
      case 'finish':
        this.#finish.abort()
    }
  }

  #rounds(): Round[] {
    const { config, source, target, isOwn } = this.#options
    const isListed = topicMatcher(config.groups, config.groupsExclude)
    const checkpoints = new Checkpoints({
      ...this.#options,
      translator: new Translator({ ...this.#options, scansPerRound: SCANS_PER_ROUND }),
      ends: new TargetEnds(this.#options),
      isChosen: (group) => isListed(group) && !isOwn(group),
      emits: config.emitCheckpoints,
      syncs: config.syncGroupOffsets
    })
    const syncs = new OffsetSyncs(this.#options)
    const roundMs = Math.min(ROUND_MS, config.checkpointIntervalMs)
    const rounds: (Round | undefined)[] = [
      {
        what: `anchors of offsets cannot be kept on ${target.name}`,
        everyMs: roundMs,
        go: (signal) => silent(this.#keeper.keep(signal))
      },
      {
        what: `old anchors of offsets cannot be dropped`,
        everyMs: DROP_MS,
        go: (signal) => silent(this.#keeper.drop(signal))
      },
      {
        what: `our own offsets cannot be committed on ${source.name}`,
        everyMs: roundMs,
        go: (signal) => silent(this.#commit(signal))
      },
      config.emitCheckpoints || config.syncGroupOffsets
        ? {
            what: `offsets of groups of ${source.name} cannot be translated`,
            everyMs: config.checkpointIntervalMs,
            go: (signal) => checkpoints.round(signal)
          }
        : undefined,
      config.emitOffsetSyncs
        ? {
            what: `offset syncs cannot be written to ${source.name}`,
            everyMs: roundMs,
            go: (signal) => silent(syncs.tell(signal))
          }
        : undefined,
      config.emitHeartbeats
        ? {
            what: `heartbeats cannot be written to ${source.name}`,
            everyMs: config.heartbeatIntervalMs,
            go: async (signal) => (this.#leads ? silent(beat(this.#options, signal)) : [])
          }
        : undefined
    ]
    return rounds.filter((round) => round !== undefined)
  }

  /** Until `working` aborts. */
  async #repeat({ what, everyMs, go }: Round, working: AbortSignal): Promise<void> {
    let failures = 0
    while (!working.aborted) {
      try {
        await pause(failures === 0 ? everyMs : Math.min(everyMs, backoffMs(failures)), working)
        const notes = await go(working)
        failures = 0
        this.#note(what, notes)
      } catch (error) {
        if (working.aborted) return
        if (++failures < FAILURES_TOLD) continue
        const fault = toFault(error)
        this.#note(what, [`${what}: ${fault.message} (${fault.code})`])
      }
    }
  }

  #note(what: string, notes: readonly string[]): void {
    const before = this.#notes.get(what) ?? []
    if (before.join('\n') === notes.join('\n')) return
    for (const note of notes) if (!before.includes(note)) this.#options.log.warn(note)
    this.#notes.set(what, notes)
    this.#report({ type: 'offsets.noted', notes: [...this.#notes.values()].flat() })
  }

  async #commit(signal: AbortSignal): Promise<void> {
    const seat = this.#seat
    if (seat === undefined) return
    const changed = this.#options.book.pages().flatMap(({ topic, partition, ranges }) => {
      const offset = ranges.next
      return this.#committed.get(tp(topic, partition)) === offset ? [] : [{ topic, partition, offset }]
    })
    if (changed.length === 0) return
    const { source } = this.#options
    const node = await source.coordinator('group', seat.group, signal)
    const question = (link: Link) => unlessAborted(link.call(offsetCommitApi(seat, changed)), signal)
    const answers = await source.askNode(node, question, signal)
    const errors = new Map(answers.map(({ topic, partition, error }) => [tp(topic, partition), error]))
    let refused = 0
    for (const { topic, partition, offset } of changed) {
      const error = errors.get(tp(topic, partition)) ?? UNKNOWN
      // A topic that is gone takes its offsets along.
      if (error === 0 || error === UNKNOWN_TOPIC) this.#committed.set(tp(topic, partition), offset)
      else refused = error
    }
    if (refused !== 0) throw kafkaFault(refused, `group ${seat.group}`)
  }
}

const UNKNOWN_TOPIC = 3
const UNKNOWN = -1

async function silent(step: Promise<void>): Promise<readonly string[]> {
  await step
  return []
}
