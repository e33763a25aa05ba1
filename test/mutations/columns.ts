import type { Mutation } from './mutation.ts'

/** Wrong values: defects between a record's bytes and the columns of a row. */
export const ofColumns: Readonly<Record<string, Mutation>> = {
  'an integer beyond 32 bits cut': {
    file: 'src/records/values.ts',
    find: '|| decimal.high !== decimal.low >> 31',
    replace: '|| decimal.high < -1',
    test: {
      file: 'test/records/json-columns.test.ts',
      title: '2^32, whose lower half is zero'
    }
  },
  'what an array begins with takes the places of other columns': {
    file: 'src/records/json-plan.ts',
    find: '.slot = pointers.length + index',
    replace: '.slot = index',
    test: {
      file: 'test/records/json.test.ts',
      title: 'on the first element of an array, also where the array is repeated or is none'
    }
  },
  'text cut within a character': {
    file: 'src/records/row.ts',
    find: 'characterEnd(this.#buffers[column]!, start, start + bytesMax)',
    replace: 'start + bytesMax',
    test: {
      file: 'test/records/json-columns.test.ts',
      title: 'longer text, cut before a character that does not fit'
    }
  },
  'a row that keeps the values of the one before': {
    file: 'src/records/row.ts',
    find: '    this.#present.fill(0)\n',
    replace: '',
    test: {
      file: 'test/records/json-columns.test.ts',
      title: 'a value that is refused leaves nothing of the row before or of this one'
    }
  },
  'replacement characters of Avro taken for text': {
    file: 'src/actors/rows/avro.ts',
    find: '&& !payload.includes(text) ? undefined : text',
    replace: '&& payload.length === 0 ? undefined : text',
    test: {
      file: 'test/actors/rows/registered.test.ts',
      title: 'text that is not UTF-8 is a dead letter, in JSON too, and never a replacement character'
    }
  },
  'a schema that cannot be had skipped': {
    file: 'src/actors/rows/registered.ts',
    find: "return 'pending'",
    replace: "return { reason: 'no schema' }",
    test: {
      file: 'test/roles/sink-columns.test.ts',
      title: 'a schema that the registry does not know holds the partition, until it does'
    }
  }
}
