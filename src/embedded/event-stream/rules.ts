import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { type Matcher, parseRule, tokenize } from './rule-language.ts'

export interface Rule {
  readonly id: string
  readonly value: string
  readonly tag?: string | undefined
}

/** Why a rule was not added, as the API names it. */
export interface RuleRefusal {
  readonly value: string
  readonly title: 'DuplicateRule' | 'UnprocessableEntity' | 'RulesCapExceeded'
  readonly details: string
  /** Of the rule that is already there. */
  readonly id?: string
}

const RULES_MAX = 1000

/** The stream's rules, kept in a file. */
export class RuleBook {
  readonly #path: string
  readonly #rules = new Map<string, Rule & { readonly matches: Matcher }>()

  constructor(path: string) {
    this.#path = path
    if (!existsSync(path)) return
    for (const rule of JSON.parse(readFileSync(path, 'utf8')) as Rule[]) {
      const parsed = parseRule(rule.value)
      if ('matches' in parsed) this.#rules.set(rule.id, { ...rule, matches: parsed.matches })
    }
  }

  get size(): number {
    return this.#rules.size
  }

  list(): Rule[] {
    return [...this.#rules.values()].map(({ id, value, tag }) =>
      tag === undefined ? { id, value } : { id, value, tag }
    )
  }

  /** Adds what can be added; `dryRun` only says what would be. */
  add(
    wanted: readonly { readonly value: string; readonly tag?: string | undefined }[],
    dryRun: boolean
  ): { readonly added: readonly Rule[]; readonly refused: readonly RuleRefusal[] } {
    const added = new Map<string, Rule & { readonly matches: Matcher }>()
    const refused: RuleRefusal[] = []
    for (const { value, tag } of wanted) {
      const id = ruleId(value)
      const parsed = parseRule(value)
      if ('problem' in parsed) refused.push({ value, title: 'UnprocessableEntity', details: parsed.problem })
      else if (this.#rules.has(id) || added.has(id)) {
        refused.push({ value, id, title: 'DuplicateRule', details: 'The rule is already there.' })
      } else if (this.#rules.size + added.size >= RULES_MAX) {
        refused.push({ value, title: 'RulesCapExceeded', details: `No more than ${RULES_MAX} rules.` })
      } else added.set(id, { id, value, tag, matches: parsed.matches })
    }
    if (!dryRun) this.#change(() => added.forEach((rule) => void this.#rules.set(rule.id, rule)))
    return { added: [...added.values()].map(({ id, value, tag }) => ({ id, value, tag })), refused }
  }

  /** How many of these ids or values there were. */
  delete(ids: readonly string[], values: readonly string[], dryRun: boolean): number {
    const found = [...ids, ...values.map(ruleId)].filter((id) => this.#rules.has(id))
    if (!dryRun) this.#change(() => found.forEach((id) => void this.#rules.delete(id)))
    return found.length
  }

  /** The rules that a text matches, by id. */
  matching(text: string): Rule[] {
    const tokenized = tokenize(text)
    return [...this.#rules.values()]
      .filter((rule) => rule.matches(tokenized))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  #change(change: () => void): void {
    change()
    writeFileSync(`${this.#path}.new`, JSON.stringify(this.list()))
    renameSync(`${this.#path}.new`, this.#path)
  }
}

/** 19 digits like X's ids, but fixed by the rule's value: the same rules always make the same events. */
export function ruleId(value: string): string {
  const digest = createHash('sha256').update(value).digest()
  return String(10n ** 18n + (digest.readBigUInt64BE() % (9n * 10n ** 18n)))
}
