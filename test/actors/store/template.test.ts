import { expect, test } from 'vitest'
import { checkTemplate, compileTemplate } from '../../../src/actors/store/template.ts'

test('date and hour are of the timestamp, in UTC', () => {
  const directoryOf = compileTemplate('{topic}/p={partition}/dt={date}/hour={hour}', 'a/b', 7)
  const midnight = Date.UTC(2026, 0, 31)
  expect(directoryOf(midnight)).toBe('a~2Fb/p=7/dt=2026-01-31/hour=00')
  expect(directoryOf(midnight - 1)).toBe('a~2Fb/p=7/dt=2026-01-30/hour=23')
  expect(directoryOf(midnight + 3_600_000)).toBe('a~2Fb/p=7/dt=2026-01-31/hour=01')
})

test('a timestamp that is no date goes to 1970', () => {
  const directoryOf = compileTemplate('dt={date}/hour={hour}', 't', 0)
  for (const timestamp of [-1, -5e15, 9e15, 2 ** 53]) {
    expect(directoryOf(timestamp)).toBe('dt=1970-01-01/hour=00')
  }
})

test('a template that hides files or leaves the prefix is refused', () => {
  for (const template of [
    '',
    '/a',
    'a/',
    'a//b',
    '../a',
    'a/..',
    '.a',
    '_a',
    'a/_b',
    'dt={day}',
    'a b',
    'é'
  ]) {
    expect(() => checkTemplate(template), template).toThrow('template')
  }
})
