import type { Mutation } from './mutation.ts'

const statistics = {
  file: 'test/actors/parquet/writer.test.ts',
  title: 'any table comes back with true statistics, in row groups of any size'
}
const awkward = {
  file: 'test/actors/parquet/writer.test.ts',
  title: 'comes back, whole and in any range of rows'
}

/** Defects of data files. */
export const ofFiles: Readonly<Record<string, Mutation>> = {
  'greatest string cut, not rounded up': {
    file: 'src/actors/parquet/string-bounds.ts',
    find: 'roundedUp(this.#max, this.#isText)',
    replace: 'cut(this.#max, this.#isText)',
    test: statistics
  },
  'bounds of a chunk leave out a page with a NaN': {
    file: 'src/actors/parquet/column.ts',
    find: 'else if (!isNull) this.#isBounded = false',
    replace: '',
    test: awkward
  },
  'the least zero is +0': {
    file: 'src/actors/parquet/numbers.ts',
    find: 'this.#min === 0 ? -0 : this.#min',
    replace: 'this.#min === 0 ? 0 : this.#min',
    test: statistics
  },
  'text keeps the delimiter': {
    file: 'src/actors/files/text.ts',
    find: ' || byte === DELIMITER',
    replace: '',
    test: {
      file: 'test/actors/files/lines.test.ts',
      title: 'delimited text has a space for whatever would end a value or a line'
    }
  }
}
