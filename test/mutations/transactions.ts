import type { Mutation } from './mutation.ts'

const kafka = (name: string, title: string) => ({ file: `test/actors/kafka/${name}.test.ts`, title })

/** Defects of requests to brokers, and of what transactions hold and what is read back of them. */
export const ofTransactions: Readonly<Record<string, Mutation>> = {
  'offsets of a batch counted wrong': {
    file: 'src/actors/kafka/batch-sender.ts',
    find: 'batch.readInt32BE(at.lastOffsetDelta) + 1',
    replace: 'batch.readInt32BE(at.lastOffsetDelta)',
    test: kafka(
      'producer',
      'what is committed is read in order, also from several batches of one partition at once'
    )
  },
  'the answer to EndTxn not looked at': {
    file: 'src/actors/kafka/producer.ts',
    find: '    if (answer.errorCode !== 0) throw this.#failed(answer.errorCode)\n    this.#added',
    replace: '    this.#added',
    test: kafka('producer', 'a commit that the coordinator refuses is none')
  },
  'silence about a partition taken for success': {
    file: 'src/actors/kafka/sender.ts',
    find: "return failure(new Fault('not-answered', tp(topic, partition), { retryable: true }))",
    replace: 'return { baseOffset: -1, error: 0, fault: undefined }',
    test: kafka('produce', 'a partition that the answer says nothing about was not written')
  },
  'written when the leader alone has it': {
    file: 'src/actors/kafka/produce.ts',
    find: 'const ACKS_ALL = -1',
    replace: 'const ACKS_ALL = 1',
    test: kafka('produce', 'a batch counts as written only when every replica in sync has it')
  },
  'a heartbeat that was under way proves standing': {
    file: 'src/actors/kafka/membership.ts',
    find: '    pulse.acknowledge(asking)\n',
    replace: '    pulse.acknowledge(pulse.begin())\n',
    test: kafka('membership', 'standing is confirmed by a heartbeat sent after the question')
  },
  'open transactions are fetched': {
    file: 'src/actors/kafka/node-fetcher.ts',
    find: 'isolation: 1',
    replace: 'isolation: 0',
    test: kafka(
      'fetcher',
      'a session goes on from where each slice ended, naming only what moved, read_committed'
    )
  },
  'positions of another log are kept': {
    file: 'src/actors/mirror/restore.ts',
    find: 'known !== undefined && known.log === log',
    replace: 'known !== undefined',
    test: {
      file: 'test/actors/mirror/restore.test.ts',
      title: 'of another log under the same name nothing is known, whether it is shorter or longer'
    }
  },
  'the cursor of the first chunk': {
    file: 'src/actors/ingest/batch.ts',
    find: 'chunks.at(-1)?.cursor',
    replace: 'chunks.at(0)?.cursor',
    test: {
      file: 'test/actors/ingest/batch.test.ts',
      title: 'a transaction holds the events, the cursor after them and their ids'
    }
  },
  "another source's cursor": {
    file: 'src/actors/ingest/records.ts',
    find: 'if (name === `',
    replace: 'if (name.startsWith(CURSOR) || name === `',
    test: {
      file: 'test/actors/ingest/records.test.ts',
      title: 'a restore gives back the last cursor of its own source, and the slots that were not dropped'
    }
  },
  'outside of transactions, a batch overtakes the first one of its partition': {
    file: 'src/actors/kafka/idempotent.ts',
    find: 'this.#known.has(key) || !met.has(key)',
    replace: 'true',
    test: {
      file: 'test/actors/kafka/idempotent.test.ts',
      title: 'nothing overtakes the first batch of a partition that the broker has not written'
    }
  }
}
