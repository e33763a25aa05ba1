import type * as z from 'zod'
import { toFault } from '../errors.ts'
import type { Policies } from '../machines/topic-rules.ts'
import { compileFilter } from '../records/filter.ts'
import { list, oneOf, present, refuse, table, text, topicName, topicPatterns } from './fields.ts'
import type { RuleConfig } from './rules.ts'

/** The keys that a mirror and its rules have in common. */
export const ruleFields = () => ({
  partitioning: oneOf(['preserve', 'hash'])
    .optional()
    .describe(
      '"preserve" keeps each record’s partition; "hash", where the numbers of partitions differ, puts it where the target’s producers would put its key.'
    ),
  hash_growth: oneOf(['hold', 'accept'])
    .optional()
    .describe(
      'Of "hash", when the target’s topic grows: "hold" stops, "accept" lets keys change partitions.'
    ),
  filter: filter()
    .optional()
    .describe(
      'CEL over key, value, headers, timestamp, topic, partition and offset: what it is true for is copied.'
    ),
  dead_letter: topicName()
    .optional()
    .describe('The target’s topic for records that "dead_letter" keeps; one of the mirror’s own by default.'),
  policy: policyTable().describe('What becomes of a partition in trouble; "fail" stops it alone.')
})

type Fields = z.output<z.ZodObject<ReturnType<typeof ruleFields>>>

/** `[[mirror.NAME.rule]]` */
export function rules() {
  const rule = table({
    topics: topicPatterns(1).describe('Topics, or regular expressions that fit the whole name.'),
    ...ruleFields()
  }).transform(({ topics, ...fields }) => ruleOf(topics, fields))
  return list(rule, 0, 'an array of tables [[mirror.NAME.rule]]').default([])
}

export function ruleOf(topics: readonly string[], fields: Fields): RuleConfig {
  const { partitioning, hash_growth: hashGrowth, filter, dead_letter: deadLetter, policy } = fields
  return { topics, policies: policy, ...present({ partitioning, hashGrowth, filter, deadLetter }) }
}

function filter() {
  return text(/\S/, 'a CEL expression').superRefine((expression, issues) => {
    try {
      compileFilter(expression)
    } catch (error) {
      refuse(issues, `an expression that can be compiled (${toFault(error).message})`)
    }
  })
}

function policyTable() {
  return table({
    data_loss: oneOf(['fail', 'skip'])
      .optional()
      .describe('The source lost records before they were copied: "skip" goes on behind them.'),
    topic_reset: oneOf(['fail', 'restart'])
      .optional()
      .describe('The source’s topic was created anew: "restart" copies the new one from its beginning.'),
    log_diverged: oneOf(['fail', 'skip'])
      .optional()
      .describe('A new leader lacks records that were copied: "skip" goes on behind what took their place.'),
    rejected: oneOf(['fail', 'skip', 'dead_letter'])
      .optional()
      .describe(
        'The target refuses a record for good, or a filter has no answer: "skip" leaves it out, "dead_letter" keeps it elsewhere.'
      ),
    source_corrupt: oneOf(['fail', 'skip'])
      .optional()
      .describe('A batch does not fit its own checksum: "skip" leaves it out.')
  })
    .prefault({})
    .transform(
      (it): Partial<Policies> =>
        present({
          dataLoss: it.data_loss,
          topicReset: it.topic_reset,
          logDiverged: it.log_diverged,
          rejected: it.rejected === 'dead_letter' ? 'dead-letter' : it.rejected,
          sourceCorrupt: it.source_corrupt
        })
    )
}
