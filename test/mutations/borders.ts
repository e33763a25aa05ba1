import type { Mutation } from './mutation.ts'

/** Defects at the borders: memory, restarts, names from outside, secrets. */
export const ofBorders: Readonly<Record<string, Mutation>> = {
  'credits not given back': {
    file: 'src/actors/budget.ts',
    find: '        if (returned === 0) return\n        this.#change(-returned)\n',
    replace: '        if (returned === 0) return\n',
    test: {
      file: 'test/actors/budget.test.ts',
      title:
        'whatever the order of taking and releasing, used bytes equal the held leases and stay within the limit'
    }
  },
  'one restart too many': {
    file: 'src/machines/supervisor.ts',
    find: 'context.recentRestarts >= context.restart.restartsMax',
    replace: 'context.recentRestarts > context.restart.restartsMax',
    test: {
      file: 'test/machines/supervisor.test.ts',
      title: 'every reachable state keeps the bound of restarts, and ends only with its cause'
    }
  },
  'stopped without a drain': {
    file: 'src/machines/worker.ts',
    find: "                on: { stop: 'draining' }\n",
    replace: "                on: { stop: '#worker.stopped' }\n",
    test: {
      file: 'test/machines/worker.test.ts',
      title: 'every reachable state ends with the first fault, and drains before it ends'
    }
  },
  'names of SQL not escaped': {
    file: 'src/actors/redshift/dialect.ts',
    find: 'return pg.escapeIdentifier(name)',
    replace: "return '\"' + name + '\"'",
    test: {
      file: 'test/actors/redshift/dialect.test.ts',
      title: 'every name is quoted, and a name that PostgreSQL would cut or refuse is a fault'
    }
  },
  'names that climb out of their directory': {
    file: 'src/actors/store/names.ts',
    find: "const stays = encoded === '' ? /[A-Za-z0-9-]/.test(char) : /[A-Za-z0-9._-]/.test(char)",
    replace: 'const stays = /[A-Za-z0-9._/-]/.test(char)',
    test: {
      file: 'test/actors/store/names.test.ts',
      title: 'any name becomes one segment that cannot climb, and comes back'
    }
  },
  'a refused row is quoted': {
    file: 'src/actors/redshift/faults.ts',
    find: "line \\d+(, column [^:]+)?/.exec(error.where ?? '')",
    replace: "line \\d+.*/.exec(error.where ?? '')",
    test: {
      file: 'test/actors/redshift/faults.test.ts',
      title: 'the place of a refused row is told, its values are not'
    }
  },
  'the token in a refusal': {
    file: 'src/actors/feed/x-stream.ts',
    find: '.slice(0, 500)\n    throw refusal(',
    replace: '.slice(0, 500) + headers.authorization\n    throw refusal(',
    test: {
      file: 'test/actors/feed/x-stream.test.ts',
      title: 'status 401 ends the feed, and the token is not told'
    }
  },
  'a transaction may end before it is committed': {
    file: 'src/config/relations.ts',
    find: '  ratio: 3\n',
    replace: '  ratio: 1\n',
    test: {
      file: 'test/config/load.test.ts',
      title: 'all faults are told at once, each with its key, the value given and what is allowed'
    }
  }
}
