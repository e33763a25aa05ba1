/**
 * Faults that an embedded service plays on request, so that tests can meet every doubtful outcome on purpose.
 *
 * A service describes each request by a `subject` string (`Produce v7 hybrid-0`, `PUT /bucket/key`, `RENAME /a`) and
 * asks `next()` what to do with it.
 */
export type FaultAction =
  /** Close the connection before the request has any effect. */
  | { readonly type: 'fail-before' }
  /** Apply the request, then close the connection instead of answering. */
  | { readonly type: 'lose-reply' }
  /** Wait this many milliseconds, then go on as usual. */
  | { readonly type: 'delay'; readonly ms: number }
  /** Never answer and keep the connection open; the request has no effect. */
  | { readonly type: 'hang' }
  /** Answer with this protocol error instead (a Kafka error code or an HTTP status with the service's error code). */
  | { readonly type: 'answer'; readonly code: number; readonly error?: string }
  /** Fail as a full disk does. */
  | { readonly type: 'disk-full' }

export interface FaultRule {
  /** The rule fits requests whose subject matches. */
  readonly subject: RegExp
  readonly action: FaultAction
  /** How many fitting requests pass unharmed first; 0 by default. */
  readonly after?: number
  /** How many fitting requests are hit; 1 by default, `Infinity` for all. */
  readonly times?: number
}

/** A rule that is set. */
export interface SetFault {
  /** How many requests it has hit so far. */
  readonly hits: number
}

export class Faults {
  #rules: { readonly rule: FaultRule; passed: number; hit: number }[] = []

  add(rule: FaultRule): SetFault {
    const state = { rule, passed: 0, hit: 0 }
    this.#rules.push(state)
    return {
      get hits() {
        return state.hit
      }
    }
  }

  clear(): void {
    this.#rules = []
  }

  /** The action for this request, or `undefined` to serve it as usual. The first rule that fits decides. */
  next(subject: string): FaultAction | undefined {
    for (const state of this.#rules) {
      const { rule } = state
      if (!rule.subject.test(subject)) continue
      if (state.passed < (rule.after ?? 0)) {
        state.passed++
        return undefined
      }
      if (state.hit >= (rule.times ?? 1)) continue
      state.hit++
      return rule.action
    }
    return undefined
  }
}
