import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

test('every rule of docs/mirror.md names tests that exist', () => {
  const rules = readFileSync(join(root, 'docs/mirror.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|(-| Rule )/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()))
  expect(rules.length).toBeGreaterThan(40)
  const missing = rules.flatMap(([, rule, , named = '']) => {
    const tests = [...named.matchAll(/`(test\/[^`]+)`: ([^`]+?)(?=; `|$)/g)]
    if (tests.length === 0) return [`${rule}: no test`]
    return tests.flatMap(([, file = '', titles = '']) => {
      const text = readFileSync(join(root, file), 'utf8')
      // A title may itself have a semicolon.
      const parts = text.includes(titles) ? [titles] : titles.split('; ')
      return parts.filter((title) => !text.includes(title)).map((title) => `${rule}: ${file}: ${title}`)
    })
  })
  expect(missing).toEqual([])
})
