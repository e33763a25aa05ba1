import { expect, test } from 'vitest'
import { rulesFor } from '../../src/config/rules.ts'
import { ConfigFaults, parseConfig } from '../../src/config.ts'
import { failing, plainRules, type TopicRules } from '../../src/machines/topic-rules.ts'

const environment = { variable: () => undefined, readText: () => '', absolute: (path: string) => path }
const HEAD = 'name = "n"\ndata_dir = "d"\n[cluster]\na = { brokers = ["a:1"] }\nb = { brokers = ["b:1"] }\n'

/** What a mirror with these keys does with a topic. */
function rulesOf(topic: string, keys: string): TopicRules {
  const { mirror } = parseConfig(`${HEAD}[mirror.m]\nfrom = "a"\nto = "b"\n${keys}`, 'c.toml', environment)
  return rulesFor(mirror.m?.rules ?? [])(topic)
}

function faultsOf(keys: string): string[] {
  try {
    rulesOf('t', keys)
    return []
  } catch (error) {
    if (error instanceof ConfigFaults) return error.faults.map(({ key, problem }) => `${key} ${problem}`)
    throw error
  }
}

test('without a word topics are copied plainly', () => {
  expect(rulesOf('t', '')).toEqual(plainRules)
})

test('a mirror says what is done with all topics, its rules with some', () => {
  const keys = `
policy = { data_loss = "skip", rejected = "dead_letter" }
[[mirror.m.rule]]
topics = ["pay.*"]
policy = { data_loss = "fail", topic_reset = "restart" }
dead_letter = "pay.dead"
partitioning = "hash"
[[mirror.m.rule]]
topics = ["payments", "orders"]
policy = { topic_reset = "fail", rejected = "skip", source_corrupt = "skip" }
`
  const policies = { ...failing, dataLoss: 'skip', rejected: 'dead-letter' }
  expect(rulesOf('t', keys)).toEqual({ ...plainRules, policies })
  const skipping = { ...failing, rejected: 'skip', sourceCorrupt: 'skip' }
  expect(rulesOf('orders', keys).policies).toEqual({ ...skipping, dataLoss: 'skip' })
  expect(rulesOf('payments', keys).policies).toEqual({ ...skipping, topicReset: 'restart' })
  expect(rulesOf('payroll', keys)).toMatchObject({ partitioning: 'hash', hashGrowth: 'hold' })
  expect(['t', 'payroll'].map((topic) => rulesOf(topic, keys).deadLetter)).toEqual([undefined, 'pay.dead'])
})

test('a filter is compiled before anything runs', () => {
  const keys = 'filter = "value.lang == \\"en\\""\n[[mirror.m.rule]]\ntopics = ["all"]\nfilter = "true"'
  expect([rulesOf('t', keys).filter, rulesOf('all', keys).filter]).toEqual(['value.lang == "en"', 'true'])
  expect(faultsOf('filter = "value.lang =="')).toEqual([
    'mirror.m.filter = "value.lang ==" is not allowed; allowed: an expression that can be compiled (Unexpected token: EOF)'
  ])
  expect(faultsOf('filter = "offset + 1"')[0]).toContain('it is of type int, not bool')
})

test('what is wrong with a rule is told with its place', () => {
  expect(
    faultsOf(`
partitioning = "range"
hash_growth = "drop"
policy = { data_loss = "restart", topc_reset = "fail", rejected = "drop" }
dead_letter = "no topic"
[[mirror.m.rule]]
topics = []
[[mirror.m.rule]]
topics = ["a"]
polcy = { data_loss = "skip" }
`)
  ).toEqual([
    'mirror.m.partitioning = "range" is not allowed; allowed: "preserve", "hash"',
    'mirror.m.hash_growth = "drop" is not allowed; allowed: "hold", "accept"',
    'mirror.m.dead_letter = "no topic" is not allowed; allowed: a Kafka topic: up to 249 letters, digits, ".", "_" or "-"',
    'mirror.m.policy.data_loss = "restart" is not allowed; allowed: "fail", "skip"',
    'mirror.m.policy.rejected = "drop" is not allowed; allowed: "fail", "skip", "dead_letter"',
    'mirror.m.policy.topc_reset is not a known key; did you mean "topic_reset"?',
    'mirror.m.rule[0].topics = [] is not allowed; allowed: an array of topics or regular expressions',
    'mirror.m.rule[1].polcy is not a known key; did you mean "policy"?'
  ])
})
