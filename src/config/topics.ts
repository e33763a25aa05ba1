/**
 * Whether a topic is chosen: some pattern matches its whole name and no exclusion does. A pattern is a regular
 * expression anchored at both ends, so that a plain name chooses exactly that topic.
 */
export function topicMatcher(
  topics: readonly string[],
  exclude: readonly string[] = []
): (topic: string) => boolean {
  const chosen = topics.map(anchored)
  const excluded = exclude.map(anchored)
  return (topic) =>
    chosen.some((pattern) => pattern.test(topic)) && !excluded.some((pattern) => pattern.test(topic))
}

/** The pattern as a whole-name expression. Throws a `SyntaxError` when it is no regular expression. */
export function anchored(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, 'u')
}
