/** What vitest's JSON reporter writes, as far as we read it. */
export interface Results {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly success: boolean
  readonly testResults: readonly FileResults[]
}

export interface FileResults {
  /** Absolute path of the test file. */
  readonly name: string
  readonly assertionResults: readonly TestResult[]
}

export interface TestResult {
  /** The describe blocks around it, outermost first. */
  readonly ancestorTitles: readonly string[]
  readonly title: string
  readonly status: 'passed' | 'failed' | 'skipped' | 'pending' | 'todo' | 'disabled'
}

export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export function tallyOf(results: readonly Results[]): Tally {
  const sum = (count: (each: Results) => number) => results.reduce((total, each) => total + count(each), 0)
  return {
    passed: sum((each) => each.numPassedTests),
    failed: sum((each) => each.numFailedTests),
    skipped: sum((each) => each.numPendingTests + each.numTodoTests)
  }
}
