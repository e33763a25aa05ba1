import type { Mutation } from './mutation.ts'

const chart = (title: string) => ({ file: 'test/machines/shard.test.ts', title })
const rules = (title: string) => ({ file: 'test/machines/shard-rules.test.ts', title })
const membership = (title: string) => ({ file: 'test/actors/kafka/membership.test.ts', title })

/** Defects of groups, transactions and positions. */
export const ofMirrors: Readonly<Record<string, Mutation>> = {
  'fencing without a heartbeat before it': {
    file: 'src/actors/mirror/writer.ts',
    find: '      await this.#options.confirm(this.#signal)\n',
    replace: '',
    test: {
      file: 'test/roles/mirror-faults.test.ts',
      title: 'who has no acknowledged heartbeat takes no transactional id'
    }
  },
  'an answer that asks to rejoin counts as a heartbeat': {
    file: 'src/actors/kafka/membership.ts',
    find: '    if (code === REBALANCE_IN_PROGRESS) return\n    if (code !== 0) throw',
    replace: '    if (code !== 0 && code !== REBALANCE_IN_PROGRESS) throw',
    test: membership(
      'a heartbeat that is answered with a rebalance (27) is no proof: standing waits for the next generation'
    )
  },
  'shards kept without a heartbeat for a session': {
    file: 'src/machines/membership.ts',
    find: "    'session.expired': { actions: ['reportExpired', 'forgetShards'] }\n",
    replace: "    'session.expired': {}\n",
    test: membership('without an acknowledged heartbeat for a session the shards are given up')
  },
  'a shard that was taken away goes on': {
    file: 'src/machines/mirror.ts',
    find: '        enqueue.stopChild(shardId(shard))\n        enqueue({',
    replace: '        enqueue({',
    test: {
      file: 'test/machines/mirror.test.ts',
      title: 'a shard that the group took away is stopped at once and no longer fetched'
    }
  },
  'positions read to the last stable offset': {
    file: 'src/actors/kafka/positions.ts',
    find: 'timestamp }], READ_UNCOMMITTED, signal)',
    replace: 'timestamp }], 1, signal)',
    test: {
      file: 'test/actors/kafka/positions.test.ts',
      title:
        "another writer's open transaction in front is waited for, so that our own record behind it is seen"
    }
  },
  'a transaction without its positions': {
    file: 'src/actors/mirror/writer.ts',
    find: 'await this.#session.produce(this.#inBatches(records), this.#signal)',
    replace: 'await this.#session.produce([], this.#signal)',
    test: {
      file: 'test/roles/mirror.test.ts',
      title: 'drain commits what was fetched, leaves the group, and the next start goes on from there'
    }
  },
  'offsets that left the source are jumped over': {
    file: 'src/machines/ledger.ts',
    find: 'if (position.next < spec.logStart)',
    replace: 'if (position.next < 0)',
    test: rules('a position below the start of the source log, or of another topic, stops its partition')
  },
  'topic ids not compared': {
    file: 'src/machines/ledger.ts',
    find: 'before === undefined || now === undefined || before === now',
    replace: 'before !== now || before === now',
    test: rules('a position below the start of the source log, or of another topic, stops its partition')
  },
  'copied under the id of a topic that came later': {
    file: 'src/machines/ledger.ts',
    find: '{ ...next, spec: { ...spec, sourceId, targetId } },',
    replace: '{ ...next, spec },',
    test: rules(
      'what was copied of a topic is committed under its own id, although another has taken its place'
    )
  },
  'skipped against the rules': {
    file: 'src/machines/ledger.ts',
    find: "stop.standing === 'data-loss' && policies.dataLoss === 'skip'",
    replace: "stop.standing === 'data-loss'",
    test: rules(
      'rules let a partition go on behind what is lost, or from the start of a new topic, and the jump is told'
    )
  },
  'no answer of a filter taken for a no': {
    file: 'src/actors/mirror/run.ts',
    find: "if (code !== 'filter-failed') throw error",
    replace: "if (code === 'filter-failed') return 'filtered'",
    test: {
      file: 'test/actors/mirror/intake.test.ts',
      title: 'what a filter leaves behind is passed over; a record without an answer ends its partition'
    }
  },
  'merged past a record that is too large': {
    file: 'src/actors/mirror/run.ts',
    find: 'outsize.find((one) => !isLeftOut(one, policies))',
    replace: 'outsize.find(() => false)',
    test: {
      file: 'test/actors/mirror/intake.test.ts',
      title:
        'a record larger than the target allows ends its partition there, and what came before it goes on'
    }
  },
  'a refused batch is sent again as it was': {
    file: 'src/actors/mirror/run.ts',
    find: 'if (isSuspect(piece, suspicion) && header.count > suspicion.recordsMax) return false',
    replace: '',
    test: {
      file: 'test/actors/mirror/rejected.test.ts',
      title: 'what is suspected is cut into small batches, and nothing else is'
    }
  },
  'the record that the target blames is taken for another': {
    file: 'src/records/rebatch.ts',
    find: 'return offset + index - before',
    replace: 'return offset + index - before + 1',
    test: {
      file: 'test/actors/mirror/failures.test.ts',
      title: 'records that the target blames are known by the offsets that they had on the source'
    }
  },
  'dead letters that are not sent': {
    file: 'src/actors/mirror/walk.ts',
    find: 'for (const made of lettersIn(leftOut, options)) {',
    replace: 'for (const made of lettersIn([], options)) {',
    test: {
      file: 'test/roles/mirror-rejected.test.ts',
      title:
        'dead letters lie on the target with the position that passes them, say what they were, and nothing is lost'
    }
  },
  'a dead letter that is refused is sent for ever': {
    file: 'src/actors/mirror/run.ts',
    find: 'known.isFinal === true ? undefined : options.letters',
    replace: 'options.letters',
    test: {
      file: 'test/actors/mirror/rejected.test.ts',
      title: 'what is rejected goes to the topic for dead letters, with what it was and why'
    }
  },
  'hash: the number of partitions that keys were placed under is forgotten': {
    file: 'src/machines/placement.ts',
    find: 'spec.targetPartitions === 0 || growthHold(spec, before) !== undefined',
    replace: 'spec.targetPartitions < 0',
    test: {
      file: 'test/machines/placement.test.ts',
      title:
        'a target that grows while keys are placed holds its partitions; what is on its way is committed as it was'
    }
  },
  'hash: records without a key are put anywhere': {
    file: 'src/actors/mirror/spread.ts',
    find: 'key === null ? partition % hashedOver',
    replace: 'key === null ? record.offset % hashedOver',
    test: {
      file: 'test/actors/mirror/spread.test.ts',
      title: 'each key goes where Kafka’s producers put it, in its order, and what has no key stays together'
    }
  },
  'hash: only one partition of the target is added to the transaction': {
    file: 'src/machines/shard-setup.ts',
    find: 'for (const target of targets) {',
    replace: 'for (const target of targets.slice(0, 1)) {',
    test: {
      file: 'test/machines/placement.test.ts',
      title: 'a partition of the source is added with all partitions of the target that its batches go to'
    }
  },
  'what a new suspicion comes upon is forgotten': {
    file: 'src/machines/refused.ts',
    find: 'return { records: known.records, suspicion',
    replace: 'return { records: [], suspicion',
    test: {
      file: 'test/actors/mirror/narrowing.test.ts',
      title: 'whatever is refused is found record by record, and everything else is copied once and in order'
    }
  },
  'a refused record counts as a doubt': {
    file: 'src/machines/shard.ts',
    find: 'isDoubt: failures.some(({ refused }) => refused === undefined)',
    replace: 'isDoubt: true',
    test: chart('a refused batch is cut smaller in each try, at once and without blame, until it is past')
  },
  'drained without a commit': {
    file: 'src/machines/shard.ts',
    find: "{ guard: 'isClosed', target: 'committing' }",
    replace: "{ guard: 'isClosed', target: '#shard.drained' }",
    test: chart('drain produces and commits what was taken, then ends')
  },
  'a partition that failed is tried again at once': {
    file: 'src/machines/ledger.ts',
    find: "return entry?.standing === 'quarantined' ? { ...ledger, [key]: waiting(entry) } : ledger",
    replace: 'return ledger',
    test: chart('a partition that the target fails is quarantined while the shard goes on without it')
  },
  'produce goes on after a refused batch': {
    file: 'src/actors/kafka/sender.ts',
    find: 'if (isHalted()) {',
    replace: 'if (batches.length === 0) {',
    test: {
      file: 'test/actors/kafka/producer.test.ts',
      title: 'after a refused batch nothing more is sent, and what was under way is never committed'
    }
  },
  'ids of a transaction not remembered': {
    file: 'src/actors/ingest/batch.ts',
    find: 'window?.next(ids, nowMs)',
    replace: 'window?.next([], nowMs)',
    test: {
      file: 'test/actors/ingest/batch.test.ts',
      title: 'a transaction holds the events, the cursor after them and their ids'
    }
  }
}
