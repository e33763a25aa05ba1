import * as z from 'zod'
import {
  duration,
  flag,
  type Issues,
  integer,
  list,
  name,
  oneOf,
  pattern,
  present,
  size,
  table,
  text,
  topicName,
  topicPatterns
} from './fields.ts'
import { heartbeatsTopic, isInternalName, type Naming, withHeartbeats } from './naming.ts'
import { offsetFields, offsetsOf } from './schema-offsets.ts'
import {
  commitInterval,
  quarantineMax,
  quarantineMin,
  refreshInterval,
  replication,
  sessionTimeout,
  shards,
  transactionTimeout
} from './schema-roles.ts'
import { ruleFields, ruleOf, rules } from './schema-rules.ts'
import { takeOver } from './schema-takeover.ts'
import type { MirrorConfig } from './types.ts'

export function mirrorTable() {
  return table({
    from: name().describe('The [cluster.NAME] read from.'),
    to: name().describe('The [cluster.NAME] written to.'),
    topics: topicPatterns(1)
      .default(['.*'])
      .describe('Topics, or regular expressions that fit the whole name; never internal ones.'),
    exclude: topicPatterns(0).default([]).describe('Topics, or regular expressions, to leave out.'),
    naming: naming().describe('What topics are called on the target.'),
    take_over: takeOver().optional().describe('Whose positions the first start goes on from.'),
    create_topics: flag().default(true).describe('Creates the topics and partitions that the target lacks.'),
    sync_configs: flag()
      .default(true)
      .describe('Keeps the configs of the target’s topics like those of the source’s.'),
    config_exclude: configPatterns()
      .default([...NOT_SYNCED])
      .describe('Topic configs, or regular expressions, that are left alone on the target.'),
    sync_acls: flag()
      .default(false)
      .describe('Gives whom the source lets read a topic the same right on the target.'),
    ...ruleFields(),
    rule: rules().describe('Exceptions for some topics; the first that fits and says something decides.'),
    delivery: oneOf(['exactly-once', 'at-least-once'])
      .default('exactly-once')
      .describe(
        'At least once writes without transactions: sooner visible, and repeated in part after errors.'
      ),
    ...offsetFields(),
    commit_interval: commitInterval().describe(
      'Shortest time between two commits; what comes after a pause is committed at once.'
    ),
    commit_bytes: size('64KiB', '1GiB')
      .prefault('16MiB')
      .describe('Bytes at which a transaction is committed before its interval.'),
    shards: shards(),
    lanes: lanes(),
    replication: replication('topics that we create on the target'),
    refresh_interval: refreshInterval(),
    lso_stuck_after: lsoStuckAfter(),
    session_timeout: sessionTimeout(),
    transaction_timeout: transactionTimeout(),
    quarantine_min: quarantineMin(),
    quarantine_max: quarantineMax()
  }).transform(
    (it): MirrorConfig => ({
      from: it.from,
      to: it.to,
      topics: it.emit_heartbeats ? [...it.topics, heartbeatsTopic] : it.topics,
      exclude: it.exclude,
      naming: it.emit_heartbeats ? withHeartbeats(it.naming, it.from) : it.naming,
      ...present({ takeOver: it.take_over }),
      createTopics: it.create_topics,
      syncConfigs: it.sync_configs,
      configExclude: it.config_exclude,
      syncAcls: it.sync_acls,
      rules: [...it.rule, ruleOf(['.*'], it)],
      delivery: it.delivery,
      offsets: offsetsOf(it),
      commitIntervalMs: it.commit_interval,
      commitBytes: it.commit_bytes,
      shards: it.shards,
      lanes: it.lanes,
      replication: it.replication,
      refreshIntervalMs: it.refresh_interval,
      lsoStuckAfterMs: it.lso_stuck_after,
      sessionTimeoutMs: it.session_timeout,
      transactionTimeoutMs: it.transaction_timeout,
      quarantineMinMs: it.quarantine_min,
      quarantineMaxMs: it.quarantine_max
    })
  )
}

export const lanes = () =>
  integer(1, 16)
    .default(1)
    .describe('Threads that share the work, each a member of the group; no more than shards.')

/** Brokers allow a transaction 15 minutes by default (`transaction.max.timeout.ms`), and end it then. */
const lsoStuckAfter = () =>
  duration('1s', '7d')
    .prefault('15m')
    .describe('How long an open transaction may hold up a partition of the source before readiness says so.')

/** MirrorMaker 2's default of `config.properties.exclude`. */
const NOT_SYNCED = [
  'follower.replication.throttled.replicas',
  'leader.replication.throttled.replicas',
  'message.timestamp.difference.max.ms',
  'message.timestamp.type',
  'unclean.leader.election.enable',
  'min.insync.replicas'
] as const

const NAMING = '"identity", { prefix = "onprem." } or { map = { "from" = "to" } }'
/** The longest prefix leaves some room for the name. */
const PREFIX = /^(?!\.|__)[A-Za-z0-9._-]{1,200}$/

export function naming() {
  const byTable = table({
    prefix: text(PREFIX, 'up to 200 letters, digits, ".", "_" or "-", not beginning with "." or "__"')
      .optional()
      .describe('Put before the source’s name.'),
    map: z
      .record(topicName(), targetName(), { error: 'a table of topic = "other name"' })
      .optional()
      .describe('Names by the source’s names; other topics keep theirs.')
  }).transform((given, issues): Naming => {
    const { prefix, map } = given
    if (map !== undefined && prefix === undefined) return { type: 'map', names: distinct(map, issues) }
    if (prefix !== undefined && map === undefined) return { type: 'prefix', prefix }
    issues.addIssue({ code: 'custom', message: NAMING })
    return z.NEVER
  })
  const identity = z.literal('identity', { error: NAMING }).transform((): Naming => ({ type: 'identity' }))
  return z.union([identity, byTable], { error: NAMING }).prefault('identity')
}

function targetName() {
  return topicName().refine((topic) => !isInternalName(topic), {
    error: 'a topic that does not end in ".internal" and begins neither with "__" nor with "."'
  })
}

/** Two topics in one would mix their records. */
function distinct(names: Record<string, string>, issues: Issues): Record<string, string> {
  const sources = new Map<string, string>()
  for (const [source, target] of Object.entries(names)) {
    const other = sources.get(target)
    if (other === undefined) sources.set(target, source)
    else {
      const message = `a name that no other topic is given, and ${JSON.stringify(other)} is`
      issues.addIssue({ code: 'custom', message, path: ['map', source] })
    }
  }
  return Object.assign(Object.create(null), names)
}

function configPatterns() {
  const allowed = 'the name of a topic config or a valid regular expression'
  return list(pattern(allowed), 0, 'an array of topic configs or regular expressions')
}
