/**
 * Proves that the tests notice: breaks the sources in one place at a time (`test/mutations/list.ts`) and demands that the
 * named test fails, after it has passed over whole sources. `--only TEXT` chooses by name. Ends with 1 when one survives.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mutations } from '../test/mutations/list.ts'
import type { Mutation } from '../test/mutations/mutation.ts'
import type { Results } from './testing/results.ts'

type Ending = 'passed' | 'failed' | 'not run' | 'not applied'

const only = process.argv[2] === '--only' ? (process.argv[3] ?? '') : ''
const chosen = Object.entries(mutations).filter(([name]) => name.includes(only))
const whole = new Map<string, Ending>()
let killed = 0
for (const [name, mutation] of chosen) {
  const { file, title } = mutation.test
  const key = `${file} > ${title}`
  if (!whole.has(key)) whole.set(key, run(mutation, undefined))
  const before = whole.get(key)
  const ending = before === 'passed' ? run(mutation, name) : `${before} over whole sources`
  if (ending === 'failed') killed++
  console.log(
    `${ending === 'failed' ? 'killed  ' : 'SURVIVED'} ${name}: ${key}${ending === 'failed' ? '' : `: ${ending}`}`
  )
}
console.log(`${killed} killed, ${chosen.length - killed} survived`)
process.exit(killed === chosen.length && killed > 0 ? 0 : 1)

/** Runs the named test, over broken sources when a mutation is named, and says how it ended. */
function run({ test: { file, title } }: Mutation, name: string | undefined): Ending {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-mutation-'))
  const [report, log] = [join(directory, 'results.json'), join(directory, 'applied')]
  const args = ['run', '--config', 'vitest.mutations.config.ts', '--reporter=json', `--outputFile=${report}`]
  const env = { ...process.env, CAUSEWAY_MUTATION_LOG: log, ...(name && { CAUSEWAY_MUTATION: name }) }
  spawnSync('vitest', [...args, '--testNamePattern', escaped(title), file], { env, stdio: 'ignore' })
  const results = existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as Results) : undefined
  const applied = existsSync(log)
  rmSync(directory, { recursive: true })
  const found = results?.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .find((test) => test.title === title)
  if (found?.status !== 'passed' && found?.status !== 'failed') return 'not run'
  return name !== undefined && !applied ? 'not applied' : found.status
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
