import type { z } from 'zod'
import type { Policies } from '../machines/topic-rules.ts'
import { list, oneOf, present, table, topicPatterns } from './fields.ts'
import type { RuleConfig } from './rules.ts'

/** The keys that a mirror and its rules have in common. */
export const ruleFields = () => ({
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

export function ruleOf(topics: readonly string[], { policy }: Fields): RuleConfig {
  return { topics, policies: policy }
}

function policyTable() {
  return table({
    data_loss: oneOf(['fail', 'skip'])
      .optional()
      .describe('The source lost records before they were copied: "skip" goes on behind them.'),
    topic_reset: oneOf(['fail', 'restart'])
      .optional()
      .describe('The source’s topic was created anew: "restart" copies the new one from its beginning.'),
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
          sourceCorrupt: it.source_corrupt
        })
    )
}
