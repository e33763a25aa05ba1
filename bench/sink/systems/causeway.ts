import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../../lib/program.ts'
import { filled } from '../../lib/template.ts'
import { BUCKET, CREDENTIALS } from '../lake.ts'
import type { Assignment, System } from '../system.ts'

const main = join(import.meta.dirname, '../../../src/main.ts')
const template = join(import.meta.dirname, '../causeway/causeway.toml')
const env = {
  BENCH_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
  BENCH_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey
}

/** @param profiles folder for CPU profiles by V8, if any; they cost it something */
export function causeway(profiles: string | undefined): System {
  const profiling = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`]
  return {
    ...commonOf(),
    name: 'causeway',
    title: 'Causeway',
    command: async (assignment) => ({
      command: process.execPath,
      args: [...profiling, ...worker(assignment, 'one')],
      env
    })
  }
}

/** Two processes of one group, each with its half of the partitions. */
export const twoCauseways: System = {
  ...commonOf(),
  name: 'causeway-2',
  title: 'Causeway, two processes',
  command: async (assignment): Promise<Command> => {
    const start = (name: string) => [process.execPath, ...worker(assignment, name)].map(quoted).join(' ')
    const script = `${start('one')} & a=$!; ${start('two')} & b=$!; trap 'kill $a $b' TERM; wait; wait`
    return { command: 'sh', args: ['-c', script], env }
  }
}

function commonOf(): Omit<System, 'name' | 'title' | 'command'> {
  return {
    ...{ isHere: true, target: 'store', canRepeat: false, prepare: async () => {} },
    described: () => `from its sources on Node ${process.version}, \`causeway/causeway.toml\``
  }
}

function worker({ broker, topic, run, endpoint, directory }: Assignment, name: string): string[] {
  const own = join(directory, name)
  mkdirSync(own)
  const file = join(own, 'causeway.toml')
  writeFileSync(file, filled(template, { broker, topic, run, endpoint, directory: own, bucket: BUCKET }))
  return [main, '--role', 's3-sink', '--config', file]
}

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`
