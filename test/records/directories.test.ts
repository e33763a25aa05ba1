import { expect, test } from 'vitest'
import type { ColumnSpec } from '../../src/records/columns.ts'
import { checkDirectories } from '../../src/records/directories.ts'

const columns: readonly ColumnSpec[] = [
  { name: 'country', type: 'string', nullable: true },
  { name: 'id', type: 'int64', nullable: true },
  { name: 'happened at', type: 'timestamp', nullable: true },
  { name: 'share', type: 'double', nullable: true },
  { name: 'body', type: 'binary', nullable: true }
]
const faultsOf = (template: string, timeColumn?: string) => [
  ...checkDirectories(template, timeColumn, columns)
]

test('a template that hides files, leaves the prefix or begins a directory with a value is refused', () => {
  const refused = [
    '',
    '/a',
    'a/',
    'a//b',
    '../a',
    'a/..',
    '.a',
    '_a',
    'a/_b',
    'a b',
    'é',
    '{country}',
    'a/{id}'
  ]
  for (const template of refused) {
    expect(faultsOf(template), template).toEqual([{ of: 'template', allowed: expect.any(String) }])
  }
  expect(faultsOf('{date}/{hour}/{topic}')).toEqual([])
  expect(faultsOf('{date}', 'happened at')).toMatchObject([
    { allowed: expect.stringContaining('date={date}') }
  ])
  expect(faultsOf('dt={date}/c={country}{id}/{topic}', 'happened at')).toEqual([])
})

test('a directory is of columns that are there and can name one', () => {
  const known = ['country', 'id', 'happened at']
  for (const given of ['day', 'share', 'body', 'Country', '']) {
    expect(faultsOf(`x={${given}}`)).toMatchObject([{ of: 'template', column: { given, known } }])
  }
})

test('the time is a column of type timestamp', () => {
  for (const given of ['gone', 'id']) {
    const column = { given, known: ['happened at'] }
    expect(faultsOf('dt={date}', given)).toMatchObject([{ of: 'time', column }])
  }
})
