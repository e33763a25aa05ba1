import { expect, test } from 'vitest'
import { failuresOf, type Results } from '../../scripts/testing/results.ts'

const file = (name: string, parts: Partial<Results['testResults'][number]>) => ({
  name,
  assertionResults: [],
  ...parts
})

const resultsOf = (...testResults: Results['testResults']): Results => ({
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  success: false,
  testResults
})

test('each failed test is named with its file and the beginning of its errors', () => {
  const results = resultsOf(
    file('/p/a.test.ts', {
      message: '',
      assertionResults: [
        { ancestorTitles: ['sums'], title: 'one', status: 'passed', failureMessages: [] },
        {
          ancestorTitles: ['sums'],
          title: 'two',
          status: 'failed',
          failureMessages: ['expected 3 to be 2', 'x'.repeat(5_000)]
        }
      ]
    })
  )
  expect(failuresOf([results])).toEqual([
    `/p/a.test.ts > sums > two\nexpected 3 to be 2\n${'x'.repeat(2_000)} …`
  ])
})

test('a file that failed outside its tests is named, and a run without failures names nothing', () => {
  expect(failuresOf([resultsOf(file('/p/b.test.ts', { message: 'cannot import' }))])).toEqual([
    '/p/b.test.ts\ncannot import'
  ])
  expect(failuresOf([resultsOf(file('/p/c.test.ts', { message: '' }))])).toEqual([])
})
