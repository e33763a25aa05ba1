import { expect, test } from 'vitest'
import { topicMatcher } from '../../src/config/topics.ts'

test('a plain name chooses exactly that topic', () => {
  const matches = topicMatcher(['orders.v1'])
  expect(['orders.v1', 'ordersXv1', 'orders.v10', 'my.orders.v1'].map(matches)).toEqual([
    true,
    false,
    false,
    false
  ])
})

test('an expression fits the whole name, alternatives too', () => {
  const matches = topicMatcher(['a.*|b', 'c+'])
  expect(['abc', 'b', 'bb', 'ccc', 'xa'].map(matches)).toEqual([true, true, false, true, false])
})

test('exclusions win', () => {
  const matches = topicMatcher(['.*'], ['secret', '.*\\.internal'])
  expect(['hybrid', 'secret', 'x.internal', 'secrets'].map(matches)).toEqual([true, false, false, true])
})
