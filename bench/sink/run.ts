import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pythonPackages } from '../../test/tools/python.ts'
import { runOk } from '../../test/tools/run.ts'
import { Program } from '../lib/program.ts'
import { python } from '../lib/python.ts'
import { Lake } from './lake.ts'
import type { Assignment, System } from './system.ts'

/** A topic, and the same records as lines of a file. */
export interface Source {
  readonly broker: string
  readonly topic: string
  readonly lines: string
  readonly records: number
}

export interface Effort {
  /** User and system time of the process tree. */
  readonly cpuSeconds: number
  readonly seconds: number
}

/** What one run of one program came to. */
export interface Outcome {
  /** From its start until all rows are in files. */
  readonly first: Effort
  /** Of the second time in the same process. */
  readonly again: Effort | undefined
  readonly peakBytes: number
  readonly records: number
  readonly verified: Verified
}

export interface Verified {
  readonly rows: number
  readonly isEqual: boolean
  readonly bytes: number
  /** For the same rows in as many files. */
  readonly pyarrowBytes: number
}

const RUN = { everyMs: 100, timeoutMs: 20 * 60_000 }
let runs = 0

/** Runs a program once, from new, and reads what it has written. */
export async function run(system: System, source: Source): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-bench-'))
  const output = join(directory, 'output')
  mkdirSync(output)
  const lake = system.target === 'store' ? await Lake.start() : undefined
  const endpoint = lake?.endpoint ?? ''
  const assignment: Assignment = { ...source, run: String(++runs), directory, output, endpoint }
  try {
    const efforts = await measured(system, assignment, lake)
    if (lake !== undefined) await lake.download(join(output, 'out-1'))
    const verified = await verify(source.lines, output, system)
    return { ...efforts, records: source.records, verified }
  } finally {
    await lake?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function measured(
  system: System,
  assignment: Assignment,
  lake: Lake | undefined
): Promise<Pick<Outcome, 'first' | 'again' | 'peakBytes'>> {
  const program = new Program(await system.command(assignment))
  try {
    const printed = (word: string) => async () => (program.printed.includes(word) ? true : undefined)
    const published = async () => ((await lake?.published()) === assignment.records ? true : undefined)
    // A tree's usage is read all the while, so that of a process that ends nothing is forgotten.
    const effort = async (what: string, done: () => Promise<true | undefined>, since: number) => {
      const before = since === program.startedAt ? 0 : program.tree.usage().cpuSeconds
      let usage = program.tree.usage()
      await program.until(
        what,
        async () => {
          const isDone = await done()
          usage = program.tree.usage()
          return isDone
        },
        RUN
      )
      return { cpuSeconds: usage.cpuSeconds - before, seconds: (performance.now() - since) / 1_000 }
    }
    const first = await effort(
      'all rows',
      lake === undefined ? printed('done 1') : published,
      program.startedAt
    )
    let again: Effort | undefined
    if (system.canRepeat) {
      const since = performance.now()
      program.tell('again')
      again = await effort('all rows once more', printed('done 2'), since)
    }
    return { first, again, peakBytes: program.tree.usage().peakBytes }
  } finally {
    await program.stop()
  }
}

async function verify(lines: string, output: string, { canRepeat }: System): Promise<Verified> {
  const script = join(import.meta.dirname, 'python/verify.py')
  const env = { ...process.env, PYTHONPATH: await pythonPackages(), PYTHONDONTWRITEBYTECODE: '1' }
  const check = async (folder: string) =>
    JSON.parse(await runOk('python3', [script, lines, folder], { env })) as Verified
  if (!canRepeat) return await check(output)
  const [first, again] = [await check(join(output, 'out-1')), await check(join(output, 'out-2'))]
  return { ...first, isEqual: first.isEqual && again.isEqual }
}

/** Fills a topic with the lines of a file. */
export async function load(
  { broker, topic, lines }: Omit<Source, 'records'>,
  partitions: number,
  codec: string
): Promise<void> {
  const { command, args, env } = await python('sink/python/load.py', [
    broker,
    topic,
    String(partitions),
    codec,
    lines
  ])
  await runOk(command, args, { env: { ...process.env, ...env } })
}

/** Writes the tweets to a file, a line each. */
export async function writeLines(file: string, records: number): Promise<void> {
  await runOk('python3', [join(import.meta.dirname, 'python/tweets.py'), file, String(records)])
}
