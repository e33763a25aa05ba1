import { codes, KafkaError } from './errors.ts'

interface Setting {
  readonly default: string
  /** Kafka's numeric type in DescribeConfigs: 1 boolean, 2 string, 3 int, 5 long, 6 double, 7 list. */
  readonly type: number
  readonly accepts: (value: string) => boolean
  /** The broker's setting that gives the default; none if left out. */
  readonly synonym: string | undefined
}

const integer = (least: number) => (value: string) => /^-?\d+$/.test(value) && Number(value) >= least
const oneOf =
  (...values: string[]) =>
  (value: string) =>
    values.includes(value)
const fraction = (value: string) => Number(value) >= 0 && Number(value) <= 1 && value !== ''
const policies = (value: string) => value.split(',').every((one) => one === 'delete' || one === 'compact')

function setting(type: number, initial: string, accepts: Setting['accepts'], synonym?: string): Setting {
  return { default: initial, type, accepts, synonym }
}

const boolean = (initial: string, synonym?: string) => setting(1, initial, oneOf('true', 'false'), synonym)
const int = (initial: string, least: number, synonym?: string) => setting(3, initial, integer(least), synonym)
const long = (initial: string, least: number, synonym?: string) =>
  setting(5, initial, integer(least), synonym)

const FOREVER = '9223372036854775807'
const codecs = oneOf('producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd')
const timestamps = oneOf('CreateTime', 'LogAppendTime')

/** The topic configs this broker knows, with the defaults and bounds of Kafka 4.1. */
export const topicSettings: Readonly<Record<string, Setting>> = {
  'cleanup.policy': setting(7, 'delete', policies, 'log.cleanup.policy'),
  'compression.type': setting(2, 'producer', codecs, 'compression.type'),
  'delete.retention.ms': long('86400000', 0, 'log.cleaner.delete.retention.ms'),
  'file.delete.delay.ms': long('60000', 0, 'log.segment.delete.delay.ms'),
  'flush.messages': long(FOREVER, 1, 'log.flush.interval.messages'),
  'flush.ms': long(FOREVER, 0),
  'index.interval.bytes': int('4096', 0, 'log.index.interval.bytes'),
  'max.compaction.lag.ms': long(FOREVER, 1, 'log.cleaner.max.compaction.lag.ms'),
  'max.message.bytes': int('1048588', 0, 'message.max.bytes'),
  'message.timestamp.after.max.ms': long('3600000', 0, 'log.message.timestamp.after.max.ms'),
  'message.timestamp.before.max.ms': long(FOREVER, 0, 'log.message.timestamp.before.max.ms'),
  'message.timestamp.type': setting(2, 'CreateTime', timestamps, 'log.message.timestamp.type'),
  'min.cleanable.dirty.ratio': setting(6, '0.5', fraction, 'log.cleaner.min.cleanable.ratio'),
  'min.compaction.lag.ms': long('0', 0, 'log.cleaner.min.compaction.lag.ms'),
  'min.insync.replicas': int('1', 1, 'min.insync.replicas'),
  preallocate: boolean('false', 'log.preallocate'),
  'retention.bytes': long('-1', -1, 'log.retention.bytes'),
  'retention.ms': long('604800000', -1),
  'segment.bytes': int('1073741824', 1_048_576, 'log.segment.bytes'),
  'segment.index.bytes': int('10485760', 4, 'log.index.size.max.bytes'),
  'segment.jitter.ms': long('0', 0),
  'segment.ms': long('604800000', 1),
  'unclean.leader.election.enable': boolean('false', 'unclean.leader.election.enable')
}

/** The settings a topic was given, over the defaults. */
export class TopicConfig {
  readonly #given = new Map<string, string>()
  /** Parsed once for the path of each produce. */
  maxMessageBytes = 0
  minInSync = 0
  segmentBytes = 0
  segmentMs = 0
  /** -1 for no bound. */
  retentionMs = 0
  retentionBytes = 0
  timestampBeforeMaxMs = 0
  timestampAfterMaxMs = 0
  logAppendTime = false
  /** `cleanup.policy`, of which a topic may have both. */
  compacted = false
  deletes = false
  deleteRetentionMs = 0
  minCleanableRatio = 0
  minCompactionLagMs = 0
  maxCompactionLagMs = 0

  /** Throws `INVALID_CONFIG` naming the entry that is unknown or out of range. */
  constructor(given: Readonly<Record<string, string>>) {
    for (const [name, value] of Object.entries(given)) {
      const known = topicSettings[name]
      if (!known) throw new KafkaError(codes.INVALID_CONFIG, `Unknown topic config name: ${name}`)
      if (!known.accepts(value)) {
        throw new KafkaError(codes.INVALID_CONFIG, `Invalid value ${value} for configuration ${name}`)
      }
      this.#given.set(name, value)
    }
    this.maxMessageBytes = this.#number('max.message.bytes')
    this.minInSync = this.#number('min.insync.replicas')
    this.segmentBytes = this.#number('segment.bytes')
    this.segmentMs = this.#number('segment.ms')
    this.retentionMs = this.#number('retention.ms')
    this.retentionBytes = this.#number('retention.bytes')
    this.timestampBeforeMaxMs = this.#number('message.timestamp.before.max.ms')
    this.timestampAfterMaxMs = this.#number('message.timestamp.after.max.ms')
    this.logAppendTime = this.get('message.timestamp.type') === 'LogAppendTime'
    const policies = this.get('cleanup.policy').split(',')
    this.compacted = policies.includes('compact')
    this.deletes = policies.includes('delete')
    this.deleteRetentionMs = this.#number('delete.retention.ms')
    this.minCleanableRatio = this.#number('min.cleanable.dirty.ratio')
    this.minCompactionLagMs = this.#number('min.compaction.lag.ms')
    this.maxCompactionLagMs = this.#number('max.compaction.lag.ms')
  }

  #number(name: string): number {
    return Number(this.get(name))
  }

  get(name: string): string {
    return this.#given.get(name) ?? topicSettings[name]?.default ?? ''
  }

  isGiven(name: string): boolean {
    return this.#given.has(name)
  }

  given(): Record<string, string> {
    return Object.fromEntries(this.#given)
  }
}
