import type { Mutation } from './mutation.ts'

const promise = {
  file: 'test/machines/chain.test.ts',
  title: 'every reachable situation keeps the promise of the commit log'
}
const chain = (title: string) => ({ file: 'test/actors/store/chain.test.ts', title })
const repair = (title: string) => ({ file: 'test/actors/store/repair.test.ts', title })
const keep = (title: string) => ({ file: 'test/actors/store/keep.test.ts', title })
const hdfs = (title: string) => ({ file: 'test/actors/hdfs/webhdfs.test.ts', title })
const hive = (title: string) => ({ file: 'test/machines/hive.test.ts', title })
const warehouse = (title: string) => ({ file: 'test/conformance/warehouse.test.ts', title })

/** Defects of the commit log and the loader. */
export const ofSinks: Readonly<Record<string, Mutation>> = {
  'committed before it is uploaded': {
    file: 'src/machines/chain.ts',
    find: "target: 'preparing'",
    replace: "target: 'committing'",
    test: promise
  },
  'head moved before the files are visible': {
    file: 'src/machines/chain.ts',
    find: "            target: 'publishing',\n            actions: 'advance'",
    replace: "            target: 'heading',\n            actions: 'advance'",
    test: promise
  },
  'a commit without an answer discards its bytes': {
    file: 'src/machines/chain.ts',
    find: "actions: ['countLoss', 'settleDebt', 'reportLost'] }\n        ],\n        onError\n",
    replace:
      "actions: ['countLoss', 'settleDebt', 'reportLost'] }\n        ],\n        onError: { target: '#discarding' }\n",
    test: {
      file: 'test/machines/chain.test.ts',
      title: 'a commit without an answer discards nothing'
    }
  },
  'nonces of entries not compared': {
    file: 'src/actors/store/commit.ts',
    find: "if (found !== undefined && found.nonce !== entry.nonce) return 'lost'\n",
    replace: '\n',
    test: chain('an entry of another writer, or the end of the generation, is a loss')
  },
  'rivals who commit at once both win': {
    file: 'src/actors/store/commit.ts',
    find: "if (found !== undefined && found.nonce !== entry.nonce) return 'lost'\n",
    replace: '\n',
    test: {
      file: 'test/roles/sink.test.ts',
      title: 'two instances that commit one range at the same moment: one wins'
    }
  },
  'a doubtful commit not read back': {
    file: 'src/actors/store/commit.ts',
    find: "    if (answer.outcome === 'doubtful') doubt = answer.fault\n",
    replace: "    if (answer.outcome === 'doubtful') throw answer.fault\n",
    test: chain('a commit whose reply is lost is won, and its late duplicate too')
  },
  'a doubtful commit taken for a success': {
    file: 'src/actors/store/commit.ts',
    find: "if (answer.outcome === 'created') return undefined",
    replace: "if (answer.outcome !== 'exists') return undefined",
    test: chain('a commit that never arrived is tried again with the same bytes')
  },
  "HDFS' false taken for a rename": {
    file: 'src/actors/hdfs/webhdfs.ts',
    find: "return reply.body.length === 0 || field(jsonOf(reply), 'boolean') === true",
    replace: 'return reply.status > 0',
    test: hdfs('a server that ignores rename options answers with a boolean, which is told')
  },
  'what seems gone is repaired without a proof': {
    file: 'src/actors/store/repair.ts',
    find: 'if (await store.proveGone(prepared, signal)) gone.push(file)',
    replace: 'gone.push(file)',
    test: repair('is not repaired where it turns out to be there after all')
  },
  'rows of another number repair a file': {
    file: 'src/actors/store/repair.ts',
    find: 'if (file?.records === records) return',
    replace: 'if (file) return',
    test: repair('is not repaired with other counts, nor after the columns or the layout changed')
  },
  'expired files are resurrected': {
    file: 'src/actors/store/commit.ts',
    find: 'return Date.parse(committedAt) + lifetime.ttlMs <= lifetime.now()',
    replace: 'return Date.parse(committedAt) > lifetime.now()',
    test: repair('is not made visible again, neither from what was prepared nor from Kafka')
  },
  'an entry in a cleared place counts': {
    file: 'src/actors/store/commit.ts',
    find: 'return segments.some(({ to }) => to > from)',
    replace: 'return segments.some(({ from }) => from < 0)',
    test: keep('has won nothing, publishes nothing, and takes its entry back')
  },
  'bytes of an unpublished entry are swept': {
    file: 'src/actors/store/sweep.ts',
    find: 'const publishedEnd = isOpen ? last.from : end',
    replace: 'const publishedEnd = end',
    test: keep('of an unpublished entry stay, whatever their age')
  },
  'a rewound generation is not closed': {
    file: 'src/actors/store/rewind.ts',
    find: 'closed: chain.generation + 1',
    replace: 'closed: chain.generation',
    test: {
      file: 'test/actors/store/rewind.test.ts',
      title: 'a rewound chain goes on in the next generation, where it was told to'
    }
  },
  'a head that lies is believed': {
    file: 'src/actors/store/chain.ts',
    find: ' && entry.nonce === head.nonce && entry.to === head.to ? entry',
    replace: ' ? entry',
    test: chain('the end is found from the head, from an old head, and by listing without one')
  },
  'a file that came out shorter is prepared': {
    file: 'src/actors/hdfs/store.ts',
    find: '      await this.#checkLength(temporary, file.bytes, signal)\n',
    replace: '',
    test: hdfs('an upload that came out shorter is no prepared file, whatever the DataNode said')
  },
  'a publication not looked at': {
    file: 'src/actors/hdfs/store.ts',
    find: '    if (await this.#isPublished(file, signal)) return\n    await this.#checkPrepared',
    replace: '    return\n    await this.#checkPrepared',
    test: hdfs('a publication that permissions or quotas refuse is blocked; one that may pass is retryable')
  },
  'position read without its lock': {
    file: 'src/actors/redshift/dialect.ts',
    find: ' FOR UPDATE NOWAIT',
    replace: '',
    test: warehouse(
      'a row that another session holds is busy at once, and its lock ends with an idle session'
    )
  },
  'rows loaded from a position that is not theirs': {
    file: 'src/actors/redshift/dialect.ts',
    find: 'SET next_offset = $2, updated_at',
    replace: 'SET next_offset = $2::bigint + 0 * next_offset - 1, updated_at',
    test: warehouse('a transaction writes the rows and the position they lead to, each exactly once')
  },
  'the position in a transaction of its own': {
    file: 'src/actors/redshift/session.ts',
    find: "    await this.#attempt('move position', () =>",
    replace:
      "    await this.#attempt('commit', () => this.#client.query('COMMIT'))\n    await this.#attempt('move position', () =>",
    test: warehouse('a session that is lost between its rows and their position leaves neither')
  },
  'the answer to COMMIT not looked at': {
    file: 'src/actors/redshift/session.ts',
    find: "if (committed.command !== 'COMMIT')",
    replace: "if (committed.command === '')",
    test: warehouse('a COMMIT that is answered by ROLLBACK has committed nothing, and is not taken for one')
  },
  'a position that is there starts over': {
    file: 'src/actors/redshift/dialect.ts',
    find: 'ON CONFLICT (target, chain) DO NOTHING',
    replace: 'ON CONFLICT (target, chain) DO UPDATE SET next_offset = excluded.next_offset',
    test: warehouse(
      'a loader that starts while another one adds the row of a chain takes the position as it stands there'
    )
  },
  'a server that reads files by itself is refused': {
    file: 'src/actors/hdfs/webhdfs.ts',
    find: "if (op === 'OPEN' && first.status === 200) return first",
    replace: '',
    test: hdfs('a store behind HttpFS proves itself, reads what it wrote, and refuses what is there')
  },
  'a survey of the log hides what was published meanwhile': {
    file: 'src/machines/hive-chains.ts',
    find: 'const isCurrent = isEnd && chain.marks === asked.marks',
    replace: 'const isCurrent = isEnd',
    test: hive('what is published while the log is being read is not missed')
  },
  'bookmarks of a table that was dropped count': {
    file: 'src/actors/hive/bookmark.ts',
    find: 'found?.incarnation === incarnation ?',
    replace: 'found ?',
    test: {
      file: 'test/actors/hive/survey.test.ts',
      title: 'a bookmark counts for its table alone, and one that cannot be read for none'
    }
  },
  'a Hive that is away holds up a sink that ends': {
    file: 'src/machines/hive.ts',
    find: "always: { guard: 'isEnded', target: 'settled' },",
    replace: '',
    test: hive('a Hive that says no for good does not hold up a sink that ends')
  },
  'values leave their quotes in statements for Hive': {
    file: 'src/actors/hive/ddl.ts',
    find: `/[^ -~]|['"\\\\;$]/g`,
    replace: '/[^ -~]/g',
    test: {
      file: 'test/actors/hive/ddl.test.ts',
      title: 'values cannot leave their quotes, end a statement of a script, or name a variable'
    }
  },
  'any certificate of Hive is believed': {
    file: 'src/actors/hive/session.ts',
    find: 'rejectUnauthorized: true',
    replace: 'rejectUnauthorized: false',
    test: {
      file: 'test/actors/hive/session.test.ts',
      title:
        'over TLS, one whom the authority did not sign is told nothing, the other one is spoken to, plain'
    }
  }
}
