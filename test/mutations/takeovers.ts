import type { Mutation } from './mutation.ts'

const takeover = (title: string) => ({ file: 'test/roles/mirror-takeover.test.ts', title })
const goesOn =
  'a mirror waits for MirrorMaker 2 to stop, and goes on in the middle of the batch where it stopped'
const handsBack = 'handed back, MirrorMaker 2 finds our positions, our workers refuse, and takeover undoes it'

/** Defects of takeovers from MirrorMaker 2, handbacks and reshards. */
export const ofTakeovers: Readonly<Record<string, Mutation>> = {
  "MirrorMaker 2's last record copied again": {
    file: 'src/actors/mirror/takeover.ts',
    find: 'next: last + 1,',
    replace: 'next: last,',
    test: takeover(goesOn)
  },
  "MirrorMaker 2's transactions left to it": {
    file: 'src/actors/mirror/takeover.ts',
    find: 'await mm2.fence(held)',
    replace: 'true',
    test: takeover(goesOn)
  },
  'MirrorMaker 2 not looked for again after its positions were read': {
    file: 'src/actors/mirror/takeover.ts',
    find: '    await mm2.refuseMembers(held)\n',
    replace: '',
    test: takeover('when MirrorMaker 2 is started while its positions are read, they count for nothing')
  },
  'our next offset handed back as the last copied one': {
    file: 'src/actors/mirror/handback.ts',
    find: 'last: next - 1 }',
    replace: 'last: next }',
    test: takeover(handsBack)
  },
  'a second handback overwrites what MirrorMaker 2 has written since': {
    file: 'src/actors/mirror/handback.ts',
    find: '  if (found.handedBack !== undefined) return false\n',
    replace: '  if (found.handedBack !== undefined) return true\n',
    test: takeover(handsBack)
  },
  'a handback of topics that MirrorMaker 2 has gone on with': {
    file: 'src/actors/mirror/handback.ts',
    find: '.filter((position) => !isOver(position))',
    replace: '',
    test: takeover(
      'with topics that are not copied here MirrorMaker 2 goes on, and a handback does not set it back'
    )
  },
  'a lock that is not proved before the commit': {
    file: 'src/actors/mirror/standstill.ts',
    find: '  await lock.confirm(signal)\n',
    replace: '',
    test: takeover('a command that has lost its lock writes nothing')
  },
  'a reshard that nobody follows': {
    file: 'src/actors/mirror/current-topic.ts',
    find: 'if (claim?.moved === undefined) return',
    replace: 'if (claim !== null) return',
    test: {
      file: 'test/actors/mirror/current-topic.test.ts',
      title: 'claims are followed, over topics that were left behind, to the last one'
    }
  }
}
