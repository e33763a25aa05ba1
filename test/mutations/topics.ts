import type { Mutation } from './mutation.ts'

const role = (title: string) => ({ file: 'test/roles/mirror-topics.test.ts', title })

/** Defects of which topics are copied, under which names, and of what the target has for them. */
export const ofTopics: Readonly<Record<string, Mutation>> = {
  'topics: batches go to the topic of the source’s name': {
    file: 'src/actors/mirror/intake.ts',
    find: 'topic: expected.targetTopic, partition',
    replace: 'topic, partition',
    test: role('topics are copied under a prefix, and what came from the target is not copied back')
  },
  'topics: created with the target’s own retention': {
    file: 'src/actors/mirror/topics/target.ts',
    find: 'replication, configs: initial }',
    replace: 'replication, configs: {} }',
    test: role(
      'configs of existing topics are left alone when that is off, and one that cannot be set is told'
    )
  },
  'topics: own configs of the target are kept where the source has none': {
    file: 'src/actors/mirror/topics/configs.ts',
    find: '    } else if (there.isOwn) changes.push({ name, value: undefined })\n',
    replace: '    }\n',
    test: role(
      'configs follow the source, but for what is excluded and what the target has of its own account'
    )
  },
  'topics: a mirror does not tell what it copies': {
    file: 'src/actors/mirror/prepare.ts',
    find: '  await scopes.tell(signal)\n',
    replace: '',
    test: role(
      'a mirror of another process that copies the other way is seen in its positions, and the path is told'
    )
  },
  'topics: no second look for other mirrors': {
    file: 'src/actors/mirror/topics/scopes.ts',
    find: '    try {\n      await this.#look(signal)\n',
    replace: '    try {\n',
    test: role('of two that start at the same time and would close a circle, one is refused')
  },
  'topics: two into one name': {
    file: 'src/actors/mirror/topics/plan.ts',
    find: '    if (owner !== name)\n',
    replace: '    if (owner === undefined)\n',
    test: role('topics are copied under the names of a map; one whose place is taken is held')
  },
  'topics: the right to write is given, too': {
    file: 'src/actors/mirror/topics/acls.ts',
    find: '  if (acl.operation === aclOperation.write) return undefined\n',
    replace: '',
    test: {
      file: 'test/actors/mirror/topics/acls.test.ts',
      title: 'the right to write is dropped, the right to everything becomes that to read, and denials stay'
    }
  }
}
