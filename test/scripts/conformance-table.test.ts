import { expect, test } from 'vitest'
import { conformanceTables, inequalities, printTable } from '../../scripts/testing/conformance-table.ts'
import type { Results, TestResult } from '../../scripts/testing/results.ts'

const resultsOf = (name: string, tests: readonly (readonly [string, TestResult['status']])[]): Results => ({
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  success: true,
  testResults: [
    {
      name,
      assertionResults: tests.map(([path, status]) => {
        const titles = path.split('/')
        return { ancestorTitles: titles.slice(0, -1), title: titles.at(-1) ?? '', status }
      })
    }
  ]
})

const suite = '/p/test/conformance/store.test.ts'

test('each property is a line, each subject a column, and the passed ones are counted', () => {
  const [table] = conformanceTables([
    resultsOf(suite, [
      ['Store on embedded/publish/once', 'passed'],
      ['Store on MinIO/publish/once', 'passed'],
      ['Store on embedded/expires', 'passed']
    ]),
    resultsOf('/p/test/roles/other.test.ts', [['Store on paper/publish/once', 'passed']])
  ])
  expect(table && printTable(table)).toBe(`## Store

| property | embedded | MinIO |
| --- | --- | --- |
| publish: once | passed | passed |
| expires | passed | – |
| passed | 2 | 1 |
`)
})

test('a property that one subject did not run, or did not pass, is an inequality unless it is known to be lacking', () => {
  const tables = conformanceTables([
    resultsOf(suite, [
      ['Store on embedded/once', 'passed'],
      ['Store on MinIO/once', 'failed'],
      ['Store on embedded/expires', 'passed'],
      ['Store on embedded/tags', 'passed']
    ])
  ])
  const lacking = {
    'Store on MinIO: tags': 'no tags there',
    'Store on MinIO: once': 'no reason allows failing'
  }
  expect(tables.flatMap((table) => inequalities(table, lacking))).toEqual([
    'Store on MinIO: once: failed',
    'Store on MinIO: expires: not run'
  ])
})
