import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { malloc } from '../../lib/malloc.ts'
import type { Command } from '../../lib/program.ts'
import { filled } from '../../lib/template.ts'
import { BUCKET, CREDENTIALS } from '../lake.ts'
import type { Assignment, System } from '../system.ts'

const main = join(import.meta.dirname, '../../../src/main.ts')
const template = join(import.meta.dirname, '../causeway/causeway.toml')
const env = {
  ...malloc,
  BENCH_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
  BENCH_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey
}

export interface CausewayOptions {
  /** Path of the packaged program; its sources when undefined. */
  readonly executable: string | undefined
  /** Folder for CPU profiles, one per run; the sources only. */
  readonly profiles: string | undefined
}

/** One process of it, and two of one group, each with its half of the partitions. */
export function causeways({ executable, profiles }: CausewayOptions): readonly System[] {
  const profiling = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`]
  const program = executable === undefined ? [process.execPath, ...profiling, main] : [executable]
  const worker = (assignment: Assignment, name: string) => [...program, ...argumentsOf(assignment, name)]
  const what = executable === undefined ? `from its sources on Node ${process.version}` : 'the executable'
  const common: Omit<System, 'name' | 'title' | 'command'> = {
    ...{ isHere: true, target: 'store', canRepeat: false, prepare: async () => {} },
    described: () => `${what}, \`causeway/causeway.toml\``
  }
  const one = async (assignment: Assignment): Promise<Command> => {
    const [command = '', ...args] = worker(assignment, 'one')
    return { command, args, env }
  }
  const two = async (assignment: Assignment): Promise<Command> => {
    const start = (name: string) => worker(assignment, name).map(quoted).join(' ')
    const script = `${start('one')} & a=$!; ${start('two')} & b=$!; trap 'kill $a $b' TERM; wait; wait`
    return { command: 'sh', args: ['-c', script], env }
  }
  return [
    { ...common, name: 'causeway', title: 'Causeway', command: one },
    { ...common, name: 'causeway-2', title: 'Causeway, two processes', command: two }
  ]
}

function argumentsOf({ broker, topic, run, endpoint, directory }: Assignment, name: string): string[] {
  const own = join(directory, name)
  mkdirSync(own)
  const file = join(own, 'causeway.toml')
  writeFileSync(file, filled(template, { broker, topic, run, endpoint, directory: own, bucket: BUCKET }))
  return ['--role', 's3-sink', '--config', file]
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`
