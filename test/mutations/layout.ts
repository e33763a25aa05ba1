import type { Mutation } from './mutation.ts'

const layout = (title: string) => ({ file: 'test/actors/store/layout.test.ts', title })

/** Defects of where rows go, when files end, and when dead letters are too many. */
export const ofLayout: Readonly<Record<string, Mutation>> = {
  'any time is believed': {
    file: 'src/actors/store/layout.ts',
    find: 'return isKnown && this.#isPlausible(time, timestampMs) ?',
    replace: 'return isKnown ?',
    test: layout('an event without a time that can be true goes to __invalid, whatever the clock says')
  },
  'long values of one beginning share a directory': {
    file: 'src/actors/store/layout.ts',
    find: "createHash('sha256').update(text)",
    replace: "createHash('sha256').update(encoded.slice(0, SEGMENT_MAX))",
    test: layout('values of columns are encoded, and null, empty and long ones have directories of their own')
  },
  'any column is a time': {
    file: 'src/records/directories.ts',
    find: "columns.filter(({ type }) => type === 'timestamp')",
    replace: 'columns',
    test: { file: 'test/records/directories.test.ts', title: 'the time is a column of type timestamp' }
  },
  'directories are of columns that are not selected': {
    file: 'src/config/schema-columns.ts',
    find: 'select === undefined || select.includes(name)',
    replace: "name !== ''",
    test: {
      file: 'test/config/schema-columns.test.ts',
      title: 'refused: a directory of a column that is not selected'
    }
  },
  'small chunks do not wait': {
    file: 'src/machines/chain.ts',
    find: "after: { age: [{ guard: 'isWorthwhile', target: 'ripe' }, { target: 'small' }] }",
    replace: "after: { age: 'ripe' }",
    test: {
      file: 'test/machines/chain.test.ts',
      title: 'a chunk that is old but small waits for more, until it is worth its files or too old'
    }
  },
  'a dead letter counts for ever': {
    file: 'src/actors/store/dead-limit.ts',
    find: '    if (this.#records - oldest > among) return\n',
    replace: '',
    test: {
      file: 'test/actors/store/dead-limit.test.ts',
      title: 'the window slides by records, whatever stood before it'
    }
  },
  'letters of the last life are read past': {
    file: 'src/actors/store/dead-topic.ts',
    find: '      await session.fence(this.#signal)\n      await this.#readPositions()\n',
    replace: '      await session.fence(this.#signal)\n      this.#positions.clear()\n',
    test: {
      file: 'test/roles/sink-dead-topic.test.ts',
      title: 'letters of a sink that had no topic, or was killed, follow from the log, and none twice'
    }
  },
  'a quiet partition keeps its decoder': {
    file: 'src/actors/rows/resting.ts',
    find: '    this.#rows = undefined\n',
    replace: '',
    test: {
      file: 'test/actors/rows/resting.test.ts',
      title: 'a decoder is opened when there is something to read, and let go of when it rests'
    }
  }
}
