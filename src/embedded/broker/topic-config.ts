import { codes, KafkaError } from './errors.ts'

interface Setting {
  readonly default: string
  /** Kafka's numeric type in DescribeConfigs: 1 boolean, 2 string, 3 int, 5 long, 6 double, 7 list. */
  readonly type: number
  readonly accepts: (value: string) => boolean
}

const integer = (least: number) => (value: string) => /^-?\d+$/.test(value) && Number(value) >= least
const oneOf =
  (...values: string[]) =>
  (value: string) =>
    values.includes(value)
const fraction = (value: string) => Number(value) >= 0 && Number(value) <= 1 && value !== ''
const policies = (value: string) => value.split(',').every((one) => one === 'delete' || one === 'compact')
const setting = (type: number, initial: string, accepts: Setting['accepts']): Setting => ({
  default: initial,
  type,
  accepts
})

/** The topic configs this broker knows, with the defaults of Kafka 4.1. */
export const topicSettings: Readonly<Record<string, Setting>> = {
  'cleanup.policy': setting(7, 'delete', policies),
  'compression.type': setting(
    2,
    'producer',
    oneOf('producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd')
  ),
  'delete.retention.ms': setting(5, '86400000', integer(0)),
  'file.delete.delay.ms': setting(5, '60000', integer(0)),
  'flush.messages': setting(5, '9223372036854775807', integer(1)),
  'flush.ms': setting(5, '9223372036854775807', integer(0)),
  'index.interval.bytes': setting(3, '4096', integer(0)),
  'max.compaction.lag.ms': setting(5, '9223372036854775807', integer(1)),
  'max.message.bytes': setting(3, '1048588', integer(0)),
  'message.timestamp.after.max.ms': setting(5, '3600000', integer(0)),
  'message.timestamp.before.max.ms': setting(5, '9223372036854775807', integer(0)),
  'message.timestamp.type': setting(2, 'CreateTime', oneOf('CreateTime', 'LogAppendTime')),
  'min.cleanable.dirty.ratio': setting(6, '0.5', fraction),
  'min.compaction.lag.ms': setting(5, '0', integer(0)),
  'min.insync.replicas': setting(3, '1', integer(1)),
  preallocate: setting(1, 'false', oneOf('true', 'false')),
  'retention.bytes': setting(5, '-1', integer(-1)),
  'retention.ms': setting(5, '604800000', integer(-1)),
  'segment.bytes': setting(3, '1073741824', integer(14)),
  'segment.index.bytes': setting(3, '10485760', integer(4)),
  'segment.jitter.ms': setting(5, '0', integer(0)),
  'segment.ms': setting(5, '604800000', integer(1)),
  'unclean.leader.election.enable': setting(1, 'false', oneOf('true', 'false'))
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
