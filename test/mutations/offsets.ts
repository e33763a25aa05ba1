import type { Mutation } from './mutation.ts'

const book = (title: string) => ({ file: 'test/actors/mirror/offsets/book.test.ts', title })
const scan = { file: 'test/actors/mirror/offsets/scan.test.ts' }
const role = (title: string) => ({ file: 'test/roles/mirror-offsets.test.ts', title })

/** Defects of where consumers go on. */
export const ofOffsets: Readonly<Record<string, Mutation>> = {
  'offsets: told before the commit': {
    file: 'src/actors/mirror/offsets/landings.ts',
    find: '    if (isLasting) for (const open of touched) this.#tell(open)\n',
    replace: '    for (const open of touched) this.#tell(open)\n',
    test: book('a transaction is told with its commit, and never what it would take back')
  },
  'offsets: what others copied meanwhile counts as left out': {
    file: 'src/actors/mirror/offsets/book.ts',
    find: '    if (ranges.from !== page.ranges.next) {\n',
    replace: '    if (ranges.from < page.ranges.next) {\n',
    test: book(
      'a batch of unknown place, and what others copied meanwhile, are not taken for something left out'
    )
  },
  'offsets: equal numbers of records are proof enough': {
    file: 'src/actors/mirror/offsets/scan.ts',
    find: '  if (!ours.isWhole || !theirs.isWhole || ours.records !== theirs.records) return undefined\n',
    replace: '  if (ours.records !== theirs.records) return undefined\n',
    test: {
      ...scan,
      title:
        'two logs are joined only where no record is ever skipped, whatever was cleaned or left out on either side'
    }
  },
  'offsets: groups are moved back': {
    file: 'src/actors/mirror/offsets/checkpoints.ts',
    find: '    downstream > (at.get(tp(topic, partition)) ?? -1) ? [',
    replace: '    downstream !== (at.get(tp(topic, partition)) ?? -1) ? [',
    test: role(
      'groups without members are given their offsets, those with members are not, and none is moved back'
    )
  },
  'offsets: nothing is written down before the group is left': {
    file: 'src/machines/mirror.ts',
    find: "          always: { guard: 'hasNoShards', target: 'settling' },\n",
    replace: "          always: { guard: 'hasNoShards', target: 'leaving' },\n",
    test: role('the group of the mirror has its positions on the source, the last ones when it has left')
  }
}
