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
  /** Why the file itself failed, outside its tests; empty otherwise. */
  readonly message?: string
  readonly assertionResults: readonly TestResult[]
}

export interface TestResult {
  /** The describe blocks around it, outermost first. */
  readonly ancestorTitles: readonly string[]
  readonly title: string
  readonly status: 'passed' | 'failed' | 'skipped' | 'pending' | 'todo' | 'disabled'
  /** One text per error: its message, then its stack. */
  readonly failureMessages?: readonly string[] | null
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

/** What failed, a text each: the file and the test, then the beginning of each error. */
export function failuresOf(results: readonly Results[]): readonly string[] {
  return results
    .flatMap((each) => each.testResults)
    .flatMap(({ name, message, assertionResults }) => {
      const tests = assertionResults.filter(({ status }) => status === 'failed')
      const texts = tests.map(({ ancestorTitles, title, failureMessages }) =>
        [[name, ...ancestorTitles, title].join(' > '), ...(failureMessages ?? []).map(beginningOf)].join('\n')
      )
      return message ? [...texts, `${name}\n${beginningOf(message)}`] : texts
    })
}

function beginningOf(text: string): string {
  return text.length <= 2_000 ? text : `${text.slice(0, 2_000)} …`
}
