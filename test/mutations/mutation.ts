/** A deliberate defect, one passage of one module, and the test that must fail by it. */
export interface Mutation {
  /** End of the module's path. */
  readonly file: string
  /** Found exactly once. */
  readonly find: string
  readonly replace: string
  readonly test: {
    readonly file: string
    /** Its whole title. */
    readonly title: string
  }
}
