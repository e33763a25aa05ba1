import type { Mutation } from './mutation.ts'

const machine = (name: string, title: string) => ({ file: `test/machines/${name}.test.ts`, title })
const ingest = machine('ingest', 'every reachable state of an ingest keeps the invariants')

/** Defects of the state machines. */
export const ofMachines: Readonly<Record<string, Mutation>> = {
  'drained before its last entry is published': {
    file: 'src/machines/chain-setup.ts',
    find: 'owesNothing: ({ context }) => !context.owes',
    replace: 'owesNothing: () => true',
    test: machine('chain', 'drain does not leave a committed entry unpublished because one try failed')
  },
  'a position ahead of its data': {
    file: 'src/machines/shard.ts',
    find: 'positions: ledgers.positionsOf(context.ledger, context.acked)',
    replace: 'positions: ledgers.positionsOf(context.ledger, { ...context.acked, ...context.taken })',
    test: machine(
      'shard',
      'every reachable state of a shard with one partition keeps the invariants, exactly-once'
    )
  },
  'failures of a partition not counted': {
    file: 'src/machines/ledger.ts',
    find: 'entry.failures + 1 : entry.failures',
    replace: 'entry.failures : entry.failures',
    test: machine(
      'shard-waits',
      'a partition that fails again and again is left alone for twice as long each time, until it is committed'
    )
  },
  'doubts not counted': {
    file: 'src/machines/shard-setup.ts',
    find: 'doubts: isDoubt ? context.doubts + 1 : context.doubts',
    replace: 'doubts: 1',
    test: machine(
      'shard-waits',
      'a shard whose transactions fail again and again waits twice as long each time, until one is committed'
    )
  },
  'a fenced producer blames its partitions': {
    file: 'src/machines/verdict.ts',
    find: '  if (transactional.has(fault.code)) return undefined\n',
    replace: '',
    test: machine(
      'verdict',
      'what concerns the whole transaction blames no partition, and is a doubt that fencing resolves'
    )
  },
  'what is refused for good is tried for ever': {
    file: 'src/machines/verdict.ts',
    find: "refusals.has(fault.code) ? 'rejected' : 'quarantined'",
    replace: "'quarantined'",
    test: machine(
      'verdict',
      'a partition is rejected for what the target refuses for good, and else tried again'
    )
  },
  'an ingest that drains drops what it holds': {
    file: 'src/machines/ingest.ts',
    find: "{\n                          guard: and(['hasLines', or(",
    replace:
      "{ guard: 'isClosed', target: '#ingest.drained' },\n{\n                          guard: and(['hasLines', or(",
    test: ingest
  },
  'after a doubt a source is read from its start': {
    file: 'src/machines/ingest.ts',
    find: 'input: ({ context }) => ({ cursor: context.cursor })',
    replace: 'input: () => ({ cursor: undefined })',
    test: ingest
  },
  'slices of a fetch that is over are taken': {
    file: 'src/machines/sink-setup.ts',
    find: 'fetch !== undefined && fetch.generation === slice.generation\n',
    replace: 'fetch !== undefined\n',
    test: machine(
      'sink',
      'slices go to the chain they were fetched for; those of a fetch that is over are given back'
    )
  },
  "the loader's own belief outlives a doubt": {
    file: 'src/machines/loader-chains.ts',
    find: 'position === undefined || position === chain.position ? chain',
    replace: 'position === undefined || chain.position !== undefined ? chain',
    test: machine(
      'loader',
      'after a lost answer the position is read in a new session before anything is loaded'
    )
  }
}
