/** What Kafka allows in a topic's name; such a pattern is a plain name. */
const PLAIN_NAME = /^[A-Za-z0-9._-]+$/

/**
 * Whether a topic is chosen: some pattern fits its whole name and no exclusion does. A pattern made of nothing but the
 * characters of topic names chooses exactly that topic (its dots are dots); any other one is a regular expression
 * anchored at both ends.
 */
export function topicMatcher(
  topics: readonly string[],
  exclude: readonly string[] = []
): (topic: string) => boolean {
  const chosen = topics.map(patternOf)
  const excluded = exclude.map(patternOf)
  return (topic) =>
    chosen.some((pattern) => pattern.test(topic)) && !excluded.some((pattern) => pattern.test(topic))
}

/** The expression that fits whole topic names. Throws a `SyntaxError` when the text is no regular expression. */
export function patternOf(text: string): RegExp {
  const source = PLAIN_NAME.test(text) ? text.replaceAll('.', '\\.') : text
  return new RegExp(`^(?:${source})$`)
}
