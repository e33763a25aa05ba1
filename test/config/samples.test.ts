import { expect, test } from 'vitest'
import { samplesOf } from '../../src/config/samples.ts'

test.each([
  ['orders.v1', ['orders.v1']],
  ['.*', ['x']],
  ['orders.*', ['orders', 'ordersx']],
  ['(a|b)-[0-9]+', ['a-0', 'b-0']],
  ['a{3}|\\d\\.b?', ['aaa', '0.', '0.b']],
  ['(?:eu|us)\\.[^x]+', ['eu.0', 'us.0']],
  ['(?!secret).+', ['x']]
])('%s is fitted by what it says itself', (pattern, samples) => {
  expect(samplesOf(pattern)).toEqual(samples)
})

test('a pattern that is read wrongly has no samples instead of wrong ones', () => {
  expect(samplesOf('(?<=y)x')).toEqual([])
})
