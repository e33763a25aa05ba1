import type { Mutation } from './mutation.ts'

/** Defects of what people and monitors are told, and of lanes. */
export const ofViews: Readonly<Record<string, Mutation>> = {
  'a silence of the source counts as lag': {
    file: 'src/actors/mirror/lags.ts',
    find: ' && (position < until || !isAtEnd)',
    replace: '',
    test: {
      file: 'test/actors/mirror/lags.test.ts',
      title: 'a record that comes after a long silence is not as old as the silence'
    }
  },
  'a mirror is ready although partitions stand': {
    file: 'src/roles/mirror-view.ts',
    find: 'isCopying && stopped.length === 0',
    replace: 'isCopying',
    test: {
      file: 'test/roles/mirror-view.test.ts',
      title: 'partitions that stand are named by readiness, and their lag grows'
    }
  },
  'an open transaction is told before its time': {
    file: 'src/actors/mirror/topics/offsets.ts',
    find: '>= this.#options.stuckAfterMs',
    replace: '>= 0',
    test: {
      file: 'test/actors/mirror/topology.test.ts',
      title: 'a transaction that holds the last stable offset back for a minute is told, until it moves'
    }
  },
  'a mirror comes back before its lanes are gone': {
    file: 'src/lanes/lanes.ts',
    find: '        await Promise.all(lanes.map((lane) => lane.gone(goneMs)))\n',
    replace: '',
    test: {
      file: 'test/lanes/lanes.test.ts',
      title:
        'a fault ends all lanes, and is told when the last of them is gone, also one that does not listen'
    }
  },
  'a secret loses its value on the way to a lane': {
    file: 'src/lanes/order.ts',
    find: 'value.reveal()',
    replace: 'String(value)',
    test: {
      file: 'test/lanes/order.test.ts',
      title: 'secrets get to a thread whole, and are secrets again there'
    }
  },
  'the first producer of a partition counts as the one that holds it up': {
    file: 'src/actors/kafka/open-transactions.ts',
    find: 'producers.find(({ transactionStart }) => transactionStart === offset)',
    replace: 'producers[0]',
    test: {
      file: 'test/actors/kafka/open-transactions.test.ts',
      title: 'one that has ended is not to be aborted'
    }
  }
}
