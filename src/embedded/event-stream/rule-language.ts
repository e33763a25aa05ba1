/**
 * The part of X's rule language that needs only a post's text (X API docs, "Build a rule"): keywords, `"exact phrases"`,
 * `#hashtags`, AND by a space, `OR`, `-negation` and parentheses. AND binds tighter than OR.
 */
export type Matcher = (text: TokenizedText) => boolean

/** A text's words in lower case with a space before, between and after them, so that words match only whole. */
export type TokenizedText = string & { readonly tokenized: true }

const RULE_LENGTH_MAX = 1024
const DEPTH_MAX = 50

export function tokenize(text: string): TokenizedText {
  const words = text.toLowerCase().match(/[\p{L}\p{N}\p{M}_]+/gu) ?? []
  return ` ${words.join(' ')} ` as TokenizedText
}

/** A matcher, or in words what is wrong with the rule. */
export function parseRule(rule: string): { readonly matches: Matcher } | { readonly problem: string } {
  if (rule.trim() === '') return { problem: 'A rule must not be empty.' }
  if (rule.length > RULE_LENGTH_MAX)
    return { problem: `Rules must be ${RULE_LENGTH_MAX} characters or less.` }
  try {
    const parser = new Parser(lex(rule))
    const matches = parser.whole()
    if (!parser.hasPositive) return { problem: 'Rules must contain a non-negation operator.' }
    return { matches }
  } catch (error) {
    if (error instanceof RuleProblem) return { problem: error.message }
    throw error
  }
}

class RuleProblem extends Error {}

type Token =
  | { readonly type: '(' | ')' | '-' | 'OR' }
  | { readonly type: 'words'; readonly text: string; readonly shown: string }

function lex(rule: string): Token[] {
  const tokens: Token[] = []
  const pattern = /\s+|([()])|(-)(?=\S)|"([^"]*)"|([^\s()"]+)/gy
  for (let at = 0; at < rule.length; at = pattern.lastIndex) {
    pattern.lastIndex = at
    const match = pattern.exec(rule)
    if (match === null)
      throw new RuleProblem(`no viable alternative at character '${rule[at]}' (at position ${at + 1})`)
    const [shown, bracket, minus, phrase, word] = match
    if (bracket === '(' || bracket === ')') tokens.push({ type: bracket })
    else if (minus !== undefined) tokens.push({ type: '-' })
    else if (word === 'OR') tokens.push({ type: 'OR' })
    else if (phrase !== undefined) tokens.push({ type: 'words', text: phrase, shown })
    else if (word !== undefined) tokens.push({ type: 'words', text: word, shown })
  }
  return tokens
}

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0
  #negated = false
  hasPositive = false

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  whole(): Matcher {
    const matches = this.#alternatives()
    if (this.#next !== undefined) throw new RuleProblem(`extraneous input '${this.#next.type}'`)
    return matches
  }

  #alternatives(): Matcher {
    const parts = [this.#conjunction()]
    while (this.#take('OR')) parts.push(this.#conjunction())
    return (text) => parts.some((matches) => matches(text))
  }

  #conjunction(): Matcher {
    const parts = [this.#operand()]
    while (this.#next !== undefined && this.#next.type !== 'OR' && this.#next.type !== ')')
      parts.push(this.#operand())
    return (text) => parts.every((matches) => matches(text))
  }

  #operand(): Matcher {
    if (this.#take('-')) {
      this.#negated = !this.#negated
      const negated = this.#operand()
      this.#negated = !this.#negated
      return (text) => !negated(text)
    }
    if (this.#take('(')) {
      if (++this.#depth > DEPTH_MAX) throw new RuleProblem('Too many nested groups.')
      const group = this.#alternatives()
      if (!this.#take(')')) throw new RuleProblem("missing ')'")
      this.#depth--
      return group
    }
    return this.#words()
  }

  #words(): Matcher {
    const token = this.#next
    if (token?.type !== 'words')
      throw new RuleProblem(`no viable alternative at input '${token?.type ?? '<EOF>'}'`)
    this.#at++
    if (!token.shown.startsWith('"') && /^[a-z_]+:/i.test(token.text)) {
      throw new RuleProblem(`Reference to invalid operator '${token.text.split(':')[0]}'.`)
    }
    const words = tokenize(token.text)
    if (words.trim() === '') throw new RuleProblem(`no viable alternative at input '${token.shown}'`)
    if (!this.#negated) this.hasPositive = true
    return (text) => text.includes(words)
  }

  get #next(): Token | undefined {
    return this.#tokens[this.#at]
  }

  #take(type: Token['type']): boolean {
    if (this.#next?.type !== type) return false
    this.#at++
    return true
  }
}
