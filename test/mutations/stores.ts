import type { Mutation } from './mutation.ts'

const rules = (title: string) => ({ file: 'test/actors/s3/lifecycle-rules.test.ts', title })
const writing = (title: string) => ({ file: 'test/actors/s3/writing.test.ts', title })

/** Defects of what is done to stores beside the commit log. */
export const ofStores: Readonly<Record<string, Mutation>> = {
  'a lifecycle of others thrown away': {
    file: 'src/actors/s3/lifecycle-rules.ts',
    find: 'const foreign = present.filter((rule) => !isOurs(rule))',
    replace: 'const foreign: LifecycleRule[] = []',
    test: rules('rules of others stay as they are, in their order, before ours')
  },
  'rules by prefix alone left as they are': {
    file: 'src/actors/s3/lifecycle-rules.ts',
    find: 'const converted = withFilter(rule)',
    replace: 'const converted = rule',
    test: rules(
      'a prefix that stands by itself is put into a filter, and nothing else of its rule is changed'
    )
  },
  'a rule that takes the commit log not seen': {
    file: 'src/actors/s3/lifecycle-rules.ts',
    find: 'return prefix.startsWith(theirs) || theirs.startsWith(prefix)',
    replace: 'return theirs.startsWith(prefix)',
    test: rules('a rule that lets the log expire, or archives it, is told')
  },
  'a lifecycle not read back': {
    file: 'src/actors/s3/lifecycle.ts',
    find: '      return [...missing, ...extra]\n',
    replace: '      return []\n',
    test: {
      file: 'test/commands/s3-lifecycle.test.ts',
      title: 'a store that keeps less than was written is found out'
    }
  },
  'a copy without the encryption of its source': {
    file: 'src/actors/s3/staging.ts',
    find: '{ ...headers, ...describing(file), MetadataDirective',
    replace: '{ ...describing(file), MetadataDirective',
    test: writing('a file of 10 bytes on MinIO is encrypted, in its class, with its tags')
  },
  'a copy with the metadata of its source': {
    file: 'src/actors/s3/staging.ts',
    find: ", MetadataDirective: 'REPLACE'",
    replace: '',
    test: {
      file: 'test/actors/s3/staging.test.ts',
      title: 'a copy brings its own metadata, and does not need that of its source'
    }
  },
  'encryption that a store passes over': {
    file: 'src/actors/s3/writing.ts',
    find: 'if (wanted.ServerSideEncryption === undefined || ',
    replace: 'if (wanted.ServerSideEncryption !== undefined || ',
    test: writing('a store that passes over the encryption, or has none, is found out')
  }
}
