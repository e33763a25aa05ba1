import { name, size, table, topicPatterns } from './fields.ts'
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
import type { MirrorConfig } from './types.ts'

export function mirrorTable() {
  return table({
    from: name().describe('The [cluster.NAME] read from.'),
    to: name().describe('The [cluster.NAME] written to.'),
    topics: topicPatterns(1)
      .default(['.*'])
      .describe('Topics, or regular expressions that fit the whole name; never internal ones.'),
    exclude: topicPatterns(0).default([]).describe('Topics, or regular expressions, to leave out.'),
    commit_interval: commitInterval(),
    commit_bytes: size('64KiB', '1GiB')
      .prefault('16MiB')
      .describe('Bytes at which a transaction is committed before its interval.'),
    shards: shards(),
    replication: replication('topics that we create on the target'),
    refresh_interval: refreshInterval(),
    session_timeout: sessionTimeout(),
    transaction_timeout: transactionTimeout(),
    quarantine_min: quarantineMin(),
    quarantine_max: quarantineMax()
  }).transform(
    (it): MirrorConfig => ({
      from: it.from,
      to: it.to,
      topics: it.topics,
      exclude: it.exclude,
      commitIntervalMs: it.commit_interval,
      commitBytes: it.commit_bytes,
      shards: it.shards,
      replication: it.replication,
      refreshIntervalMs: it.refresh_interval,
      sessionTimeoutMs: it.session_timeout,
      transactionTimeoutMs: it.transaction_timeout,
      quarantineMinMs: it.quarantine_min,
      quarantineMaxMs: it.quarantine_max
    })
  )
}
