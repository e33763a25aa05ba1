import type { Mutation } from './mutation.ts'

/** Defects of what is done to batches. */

const stamped = {
  file: 'test/records/batch.test.ts',
  title: 'a stamped batch has the CRC that a full pass would give, and its records as they were'
}
const judged = {
  file: 'test/records/batch.test.ts',
  title: 'every reason not to pass a batch on, and their order'
}
const filtered = {
  file: 'test/records/aborted.test.ts',
  title: 'the filter says what a reader of the whole log knows, from any offset, however the list is ordered'
}
const [batch, aborted, sequences] = ['batch', 'aborted', 'sequences'].map((name) =>
  name === 'sequences' ? 'src/actors/kafka/sequences.ts' : `src/records/${name}.ts`
) as [string, string, string]

export const ofRecords: Readonly<Record<string, Mutation>> = {
  'base offset not zeroed': {
    file: batch,
    find: '  writeInt64(batch, 0, at.baseOffset)\n',
    replace: '',
    test: stamped
  },
  'checksum not corrected': {
    file: batch,
    find: '(batch.readUInt32BE(at.crc) ^ difference) >>> 0',
    replace: '(batch.readUInt32BE(at.crc)) >>> 0',
    test: stamped
  },
  'transactional bit forgotten': {
    file: batch,
    find: 'codec | (ours.transactional ? bit.transactional : 0)',
    replace: 'codec',
    test: stamped
  },
  'batches before the position pass': {
    file: batch,
    find: "  if (header.lastOffset < position) return 'below-position'\n",
    replace: '',
    test: judged
  },
  'batches that straddle the position pass': {
    file: batch,
    find: "  if (header.baseOffset < position) return 'decode:begins-before-position'\n",
    replace: '',
    test: judged
  },
  'aborted batches pass': {
    file: batch,
    find: "  if (aborted) return 'aborted'\n",
    replace: '',
    test: judged
  },
  'markers pass': {
    file: batch,
    find: "  if (header.control) return 'control'\n",
    replace: '',
    test: judged
  },
  'batches with gaps pass': {
    file: batch,
    find: 'if (header.lastOffsetDelta + 1 !== header.count)',
    replace: 'if (header.count < 0)',
    test: judged
  },
  'aborted list not sorted': {
    file: aborted,
    find: '.sort((a, b) => a.firstOffset - b.firstOffset)',
    replace: '',
    test: filtered
  },
  'markers end no aborted transaction': {
    file: aborted,
    find: '      this.#open.delete(header.producerId)\n',
    replace: '',
    test: filtered
  },
  'inner offsets of a compressed message taken as they are': {
    file: 'src/records/message-set.ts',
    find: 'outer.magic === 1 ? outer.offset - last.offset : 0',
    replace: '0',
    test: {
      file: 'test/records/message-set.test.ts',
      title: 'messages of every format, codec and offset are read as they were written'
    }
  },
  'a record lost behind one that was left out': {
    file: 'src/actors/mirror/run.ts',
    find: 'record.offset >= until || failure !== undefined',
    replace: 'record.offset >= until || leftOut.length > 0',
    test: {
      file: 'test/actors/mirror/intake.test.ts',
      title: 'messages of the former formats go on as batches, from wherever the position is among them'
    }
  },
  'sequence not reset with a new epoch': {
    file: sequences,
    find: 'this.#next.clear()',
    replace: '',
    test: {
      file: 'test/actors/kafka/sequences.test.ts',
      title: 'sequences count per partition and start again at 0 with a new epoch'
    }
  },
  'sequence does not wrap as the protocol says': {
    file: sequences,
    find: '(base + count) % SEQUENCE_MODULUS',
    replace: 'base + count >= SEQUENCE_MODULUS ? 0 : base + count',
    test: {
      file: 'test/actors/kafka/sequences.test.ts',
      title: 'after 2^31 - 1 comes 0, also in the middle of a batch'
    }
  }
}
