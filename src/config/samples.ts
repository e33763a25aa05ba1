import { patternOf } from './topics.ts'

const SAMPLES_MAX = 32
/** What stands for any character, and for a class that is not read. */
const ANY = 'x'
const CLASSES: Readonly<Record<string, string>> = { d: '0', w: ANY, s: ' ', D: ANY, W: '-', S: ANY }

/**
 * Some topic names that a pattern fits: what it says literally, each of its alternatives, and with as little as it asks for.
 * They are found by reading the common part of regular expressions and are tried before they are given; a pattern that
 * uses more than that may have none here.
 */
export function samplesOf(pattern: string): string[] {
  const expression = patternOf(pattern)
  const found = new SampleReader(expression.source).read()
  return [...new Set(found)].filter((name) => name !== '' && expression.test(name))
}

/** A descent through alternatives, sequences, atoms and their quantifiers. Everything it does not know is a literal. */
class SampleReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  read(): string[] {
    return this.#alternatives()
  }

  #alternatives(): string[] {
    const samples = this.#sequence()
    while (this.#skip('|')) samples.push(...this.#sequence())
    return samples.slice(0, SAMPLES_MAX)
  }

  #sequence(): string[] {
    let samples = ['']
    while (this.#at < this.#text.length && this.#peek() !== '|' && this.#peek() !== ')') {
      const next = this.#quantified(this.#atom())
      samples = samples.flatMap((head) => next.map((tail) => head + tail)).slice(0, SAMPLES_MAX)
    }
    return samples
  }

  #atom(): string[] {
    const character = this.#take()
    if (character === '.') return [ANY]
    if (character === '^' || character === '$') return ['']
    if (character === '[') return [this.#class()]
    if (character !== '(') return [character === '\\' ? this.#escaped() : character]
    const isGroup = !this.#skip('?') || this.#skip(':')
    const samples = this.#alternatives()
    this.#skip(')')
    // What looks around takes no room of its own.
    return isGroup ? samples : ['']
  }

  /** The first character of a class; one of none of them when it is negated. */
  #class(): string {
    const end = this.#text.indexOf(']', this.#at + 1)
    const inside = this.#text.slice(this.#at, end < 0 ? undefined : end)
    this.#at = end < 0 ? this.#text.length : end + 1
    if (inside.startsWith('^')) return [ANY, '0', '-'].find((one) => !inside.includes(one)) ?? ANY
    if (!inside.startsWith('\\')) return inside.charAt(0)
    return CLASSES[inside.charAt(1)] ?? inside.charAt(1)
  }

  #escaped(): string {
    const character = this.#take()
    return CLASSES[character] ?? character
  }

  #quantified(samples: string[]): string[] {
    const [quantifier = ''] = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/.exec(this.#text.slice(this.#at)) ?? []
    this.#at += quantifier.length
    if (quantifier === '') return samples
    const least = quantifier.startsWith('{') ? Number.parseInt(quantifier.slice(1), 10) : 0
    if (least > 0) return samples.map((one) => one.repeat(least))
    return quantifier.startsWith('+') ? samples : ['', ...samples]
  }

  #peek(): string {
    return this.#text.charAt(this.#at)
  }

  #take(): string {
    return this.#text.charAt(this.#at++)
  }

  #skip(character: string): boolean {
    if (this.#peek() !== character) return false
    this.#at++
    return true
  }
}
