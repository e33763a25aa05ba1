import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cached } from '../../tools/cache.ts'
import { type RunResult, runOk } from '../../tools/run.ts'
import { hdfsLibraries } from './libraries.ts'

const source = join(import.meta.dirname, 'HadoopTools.java')

/** The command line tools of Hadoop that the tests use, by the class that `hdfs <verb>` runs. */
const TOOLS = {
  dfs: 'org.apache.hadoop.fs.FsShell',
  dfsadmin: 'org.apache.hadoop.hdfs.tools.DFSAdmin',
  haadmin: 'org.apache.hadoop.hdfs.tools.DFSHAAdmin'
} as const

/** `hdfs dfs`, `hdfs dfsadmin` and `hdfs haadmin` in one process that is started by the first command. */
export class HadoopTools {
  readonly #configuration: string
  #process: Promise<ToolsProcess> | undefined

  /** `configuration` is the folder with `core-site.xml` and `hdfs-site.xml`. */
  constructor(configuration: string) {
    this.#configuration = configuration
  }

  /** Runs a command to its end, as this user. Commands run one after the other. */
  async run(verb: keyof typeof TOOLS, args: readonly string[], user: string): Promise<RunResult> {
    this.#process ??= startTools(this.#configuration)
    const answer = await (await this.#process).ask(JSON.stringify({ user, tool: TOOLS[verb], args }))
    const { code, out, err } = JSON.parse(answer) as Answer
    return { code, stdout: out, stderr: err }
  }

  /** Like `run`, but what fails is an error that says why; returns what the command printed. */
  async runOk(verb: keyof typeof TOOLS, args: readonly string[], user: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(verb, args, user)
    if (code !== 0) throw new Error(`hdfs ${verb} ${args.join(' ')} ended with ${code}:\n${stderr}${stdout}`)
    return stdout
  }

  async stop(): Promise<void> {
    await (await this.#process?.catch(() => undefined))?.stop()
    this.#process = undefined
  }
}

interface Answer {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** The compiled runner of the tools. */
export async function toolsClasses(): Promise<string> {
  const libraries = await hdfsLibraries()
  return cached('hadoop-tools', `${libraries}\n${readFileSync(source, 'utf8')}`, async (directory) => {
    await runOk('javac', ['-d', directory, '-cp', `${libraries}/*`, source])
  })
}

interface ToolsProcess {
  readonly ask: (line: string) => Promise<string>
  readonly stop: () => Promise<void>
}

async function startTools(configuration: string): Promise<ToolsProcess> {
  const classpath = [configuration, await toolsClasses(), `${await hdfsLibraries()}/*`].join(':')
  const args = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xmx256m', '-cp', classpath, 'HadoopTools']
  // It ends with its input, so it does not outlive this process.
  const child = spawn('java', args, { stdio: 'pipe' })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000)
  })
  const next = async () => {
    const line = await lines.next()
    if (line.done) throw new Error(`the Hadoop tools ended:\n${said}`)
    return line.value
  }
  await next()
  let last: Promise<unknown> = Promise.resolve()
  const ask = (line: string) => {
    const answer = last.then(() => {
      child.stdin.write(`${line}\n`)
      return next()
    })
    last = answer.catch(() => undefined)
    return answer
  }
  return { ask, stop: () => end(child) }
}

async function end(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}
