/** A deliberate defect: one passage of one module, replaced. */
export interface Mutation {
  /** End of the module's URL. */
  readonly file: string
  /** Found exactly once. */
  readonly find: string
  readonly replace: string
}

/** The pause widens the moment in which a kill does harm; without the defect it would do none. */
const pause = 'await new Promise((resolve) => setTimeout(resolve, 1_000))'

export const mutations: Readonly<Record<string, Mutation>> = {
  /** Files become visible before an entry of the log names them. */
  'publish-before-commit': {
    file: 'src/roles/sink-chain.ts',
    find: 'return preparing.pass(() => prepareChunk(store, options, signal), signal)',
    replace: `return prepareChunk(store, options, signal).then(async (entry) => {
          await publishEntry(store, entry, signal, lifetime)
          ${pause}
          return entry
        })`
  },
  /** The warehouse's next offset is moved in a transaction before the one that loads the rows. */
  'position-before-data': {
    file: 'src/actors/redshift/session.ts',
    find: '    let rows = 0\n    try {\n      for await (const source of sources)',
    replace: `    await this.#client.query(this.#options.dialect.movePosition, [chain, to])
    await this.#client.query('COMMIT')
    ${pause}
    await this.#client.query('BEGIN')
    let rows = 0
    try {
      for await (const source of sources)`
  }
}
