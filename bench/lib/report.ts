import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { machine } from './machine.ts'

/** How a comparison was run, and what of it does not count. */
export interface RunFacts {
  readonly command: string
  readonly startedAt: Date
  readonly minutes: number
  readonly isQuick: boolean
  /** Runs that failed or whose outcome was wrong, and programs that could not be had. */
  readonly faults: readonly string[]
}

/** A figure that is to be reached, made of medians; without a limit it is only told. */
export interface Ratio {
  readonly name: string
  readonly what: string
  readonly atLeast?: number
  readonly atMost?: number
}

/** One of the programs side by side. */
export interface Contestant {
  readonly title: string
  /** With which versions and settings. */
  readonly described: () => string
}

export interface Content {
  readonly title: string
  /** Who shares the machine, in a sentence. */
  readonly sharing: string
  /** What the figures are made of, in a sentence. */
  readonly medians: string
  readonly sections: readonly string[]
  /** Where the time goes, in Markdown. */
  readonly profile: string
  /** Where programs and configurations lie, in a sentence. */
  readonly programs: string
  readonly contestants: readonly Contestant[]
}

/** The results as a page in Markdown. */
export function page(facts: RunFacts, content: Content): string {
  const { startedAt, minutes, command, isQuick, faults } = facts
  const quick =
    'A quick run: a tenth of the records, once. Its figures say that all works, and are no result.'
  const parts = [
    `# ${content.title}`,
    `${startedAt.toISOString().slice(0, 10)}, \`${command}\`, ${Math.round(minutes)} minutes, on ${machine()}. ` +
      `${content.sharing} How each figure is made: [bench/README.md](../README.md).`,
    ...(isQuick ? [quick] : []),
    content.medians,
    ...content.sections,
    `## Where the time goes\n\n${content.profile.trim()}`,
    `## Versions and configurations\n\n${content.programs}\n\n${list(content.contestants.map(({ title, described }) => `${title}: ${described()}`))}`,
    ...(faults.length === 0 ? [] : [`## What does not count\n\n${list(faults)}`])
  ]
  return `${parts.join('\n\n')}\n`
}

/** What was to be reached, and what was; `null` stands for what was not measured. */
export function targets<Name extends string>(
  ratios: readonly (Ratio & { readonly name: Name })[],
  values: Readonly<Record<Name, number | null>>
): string {
  const rows = ratios.map((ratio) => {
    const { name, what, atLeast, atMost } = ratio
    const value = values[name]
    const most = atMost === undefined ? '–' : `at most ${rounded(atMost)}`
    const wanted = atLeast === undefined ? most : `at least ${rounded(atLeast)}`
    return [`\`${name}\``, what, value === null ? '–' : two(value), wanted, verdict(value, ratio)]
  })
  return `## Against the targets\n\n${table(['', 'what', 'measured', 'wanted', ''], rows)}`
}

function verdict(value: number | null, { atLeast, atMost }: Ratio): string {
  if (value === null) return 'not measured'
  if (atLeast === undefined && atMost === undefined) return ''
  const shortfall = atLeast === undefined ? value / (atMost ?? value) : atLeast / value
  return shortfall <= 1 ? 'reached' : `missed by ${whole((shortfall - 1) * 100)} %`
}

/** A table in Markdown; all but the first column are numbers. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  const rule = head.map((_, index) => (index === 0 ? '---' : '---:'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

const list = (lines: readonly string[]) => lines.map((line) => `- ${line}`).join('\n')

/** How a comparison was called, for who wants to do it again. */
export function calledAs(script: string): string {
  const given = process.argv.slice(2)
  return [`npm run ${script}`, ...(given.length > 0 ? ['--', ...given] : [])].join(' ')
}

/** What stands for programs that this machine cannot have. */
export function notHere(
  systems: readonly { readonly title: string; readonly isHere: boolean }[]
): readonly string[] {
  return systems.filter(({ isHere }) => !isHere).map(({ title }) => `${title}: cannot be had on this machine`)
}

/** Writes the page to a file. */
export function save(out: string, report: string): void {
  mkdirSync(dirname(out), { recursive: true })
  writeFileSync(out, report)
}

/** Prints the page, and after it a line of JSON: the ratios. */
export function publish(report: string, ratios: Readonly<Record<string, number | null>>): void {
  console.log(report)
  const line = Object.entries(ratios).map(([name, value]) => [name, value && rounded(value)])
  console.log(JSON.stringify(Object.fromEntries(line)))
}

export const two = (value: number) => value.toFixed(2)
export const whole = (value: number) => String(Math.round(value))
export const thousands = (value: number) => `${Math.round(value / 1_000)} k`
const rounded = (value: number) => Number(value.toFixed(2))
