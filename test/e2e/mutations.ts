/** A deliberate defect: one passage of one module, replaced. */
export interface Mutation {
  /** End of the module's URL. */
  readonly file: string
  /** Found exactly once. */
  readonly find: string
  readonly replace: string
}

export const mutations: Readonly<Record<string, Mutation>> = {}
