import { Fault } from '../../errors.ts'

/**
 * The rules of an X API v2 filtered stream, made to be the configured keywords.
 * Source: https://docs.x.com/x-api/posts/filtered-stream (GET and POST /2/tweets/search/stream/rules).
 *
 * Rules belong to the whole project, so only those that carry our tag are ever deleted. A keyword is a rule's value as X
 * understands it: `big data` asks for both words, `"big data"` for the phrase.
 */
export interface Rule {
  readonly id: string
  readonly value: string
  readonly tag: string | undefined
}

/** Sends one request to the rules endpoint and resolves with its JSON. */
export type AskRules = (request: {
  readonly method: 'GET' | 'POST'
  readonly body?: unknown
}) => Promise<unknown>

/** Adds the keywords that are missing and deletes our rules that are no longer wanted. */
export async function syncRules(ask: AskRules, keywords: readonly string[], tag: string): Promise<void> {
  const present = rulesOf(await ask({ method: 'GET' }))
  const wanted = new Set(keywords)
  const stale = present.filter((rule) => rule.tag === tag && !wanted.has(rule.value))
  if (stale.length > 0) {
    await ask({ method: 'POST', body: { delete: { ids: stale.map(({ id }) => id) } } })
  }
  // Another owner's rule with the same value serves as well: X refuses a second one.
  const values = new Set(present.filter((rule) => !stale.includes(rule)).map(({ value }) => value))
  const missing = [...wanted].filter((keyword) => !values.has(keyword))
  if (missing.length === 0) return
  const answer = await ask({ method: 'POST', body: { add: missing.map((value) => ({ value, tag })) } })
  const refused = refusalOf(answer)
  if (refused !== undefined) throw new Fault('x-rule-refused', `X refused a rule: ${refused}`)
}

function rulesOf(answer: unknown): Rule[] {
  if (!isObject(answer) || !Array.isArray(answer.data)) return []
  return answer.data.flatMap((rule: unknown) => {
    if (!isObject(rule) || typeof rule.id !== 'string' || typeof rule.value !== 'string') return []
    return [{ id: rule.id, value: rule.value, tag: typeof rule.tag === 'string' ? rule.tag : undefined }]
  })
}

/** The first error of a POST; a rule that exists already is none. */
function refusalOf(answer: unknown): string | undefined {
  if (!isObject(answer) || !Array.isArray(answer.errors)) return undefined
  for (const error of answer.errors as unknown[]) {
    if (!isObject(error) || error.title === 'DuplicateRule') continue
    return [error.title, error.value, ...(Array.isArray(error.details) ? error.details : [])]
      .filter((part) => typeof part === 'string')
      .join(': ')
  }
  return undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
