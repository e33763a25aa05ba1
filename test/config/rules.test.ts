import { expect, test } from 'vitest'
import { rulesFor } from '../../src/config/rules.ts'
import { failing, plainRules } from '../../src/machines/topic-rules.ts'

test('without rules a topic is copied as it is, and a partition in trouble stops', () => {
  expect(rulesFor([])('t')).toEqual(plainRules)
})

test('of each thing the first rule decides that fits and says something', () => {
  const of = rulesFor([
    { topics: ['t'], filter: 'a', policies: { rejected: 'skip' } },
    {
      topics: ['t|u'],
      partitioning: 'hash',
      hashGrowth: 'accept',
      filter: 'b',
      policies: { rejected: 'dead-letter', dataLoss: 'skip' }
    },
    { topics: ['.*'], partitioning: 'preserve', policies: { topicReset: 'restart' } }
  ])
  expect(of('t')).toEqual({
    ...plainRules,
    partitioning: 'hash',
    hashGrowth: 'accept',
    filter: 'a',
    policies: { ...failing, rejected: 'skip', dataLoss: 'skip', topicReset: 'restart' }
  })
  expect(of('u')).toMatchObject({ filter: 'b', policies: { rejected: 'dead-letter' } })
  expect(of('v')).toEqual({
    ...plainRules,
    policies: { ...failing, topicReset: 'restart' }
  })
})
