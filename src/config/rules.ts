import { type Policies, plainRules, type TopicRules } from '../machines/topic-rules.ts'
import { topicMatcher } from './topics.ts'

/** What is to be done with some topics; what it leaves open, the next one that fits decides. */
export interface RuleConfig {
  /** Names or regular expressions, anchored at both ends: see `topicMatcher`. */
  readonly topics: readonly string[]
  readonly partitioning?: TopicRules['partitioning']
  readonly hashGrowth?: TopicRules['hashGrowth']
  readonly filter?: string
  readonly deadLetter?: string
  readonly policies: Partial<Policies>
}

/** What the rules want to be done with a topic: of each thing, what the first one says that fits and says something. */
export function rulesFor(rules: readonly RuleConfig[]): (topic: string) => TopicRules {
  const compiled = rules.map((rule) => ({ ...rule, fits: topicMatcher(rule.topics) }))
  const known = new Map<string, TopicRules>()
  return (topic) => {
    const found = known.get(topic) ?? merged(compiled.filter(({ fits }) => fits(topic)))
    known.set(topic, found)
    return found
  }
}

function merged(rules: readonly RuleConfig[]): TopicRules {
  const first = <Key extends Exclude<keyof RuleConfig, 'topics' | 'policies'>>(key: Key) =>
    rules.find((rule) => rule[key] !== undefined)?.[key]
  return {
    partitioning: first('partitioning') ?? plainRules.partitioning,
    hashGrowth: first('hashGrowth') ?? plainRules.hashGrowth,
    filter: first('filter') ?? plainRules.filter,
    deadLetter: first('deadLetter') ?? plainRules.deadLetter,
    policies: Object.assign({}, plainRules.policies, ...rules.map(({ policies }) => policies).reverse())
  }
}
