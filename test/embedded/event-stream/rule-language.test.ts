import { expect, test } from 'vitest'
import { parseRule, tokenize } from '../../../src/embedded/event-stream/rule-language.ts'

function matches(rule: string, text: string): boolean | string {
  const parsed = parseRule(rule)
  return 'matches' in parsed ? parsed.matches(tokenize(text)) : parsed.problem
}

test.each([
  ['hadoop', 'I like HADOOP!', true],
  ['hadoop', '#Hadoop rocks', true],
  ['#hadoop', '#Hadoop rocks', true],
  ['hadoop', 'hadoops and myhadoop', false],
  ['"big data"', 'so BIG, data', true],
  ['"big data"', 'big fat data', false],
  ['big data', 'data that is big', true],
  ['kafka OR cloud', 'in the cloud', true],
  ['kafka cloud OR hadoop', 'kafka and hadoop', true],
  ['kafka (cloud OR hadoop)', 'cloud and hadoop', false],
  ['kafka -cloud', 'kafka', true],
  ['kafka -cloud', 'kafka in the cloud', false],
  ['kafka -(cloud OR hadoop)', 'kafka hadoop', false],
  ['größe', 'Große GRÖSSE, größe', true],
  ['東京', '今日は 東京 です', true]
])('rule %j on %j: %j', (rule, text, expected) => {
  expect(matches(rule, text)).toBe(expected)
})

test.each([
  ['', /empty/],
  ['x'.repeat(1025), /1024/],
  ['"open', /no viable alternative/],
  ['(kafka', /missing '\)'/],
  ['kafka)', /extraneous input/],
  ['kafka OR', /no viable alternative/],
  ['OR kafka', /no viable alternative/],
  ['-kafka', /non-negation/],
  ['lang:en kafka', /invalid operator 'lang'/],
  ['🌊', /no viable alternative/],
  [`${'('.repeat(200)}a${')'.repeat(200)}`, /nested/]
])('rule %j is refused', (rule, problem) => {
  expect(matches(rule, '')).toMatch(problem)
})
