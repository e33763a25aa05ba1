import { join } from 'node:path'
import type { RunResult } from '../../tools/run.ts'
import { compiled, JavaLines } from '../java-lines.ts'
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
  #program: Promise<JavaLines> | undefined

  /** `configuration` is the folder with `core-site.xml` and `hdfs-site.xml`. */
  constructor(configuration: string) {
    this.#configuration = configuration
  }

  /** Runs a command to its end, as this user. Commands run one after the other. */
  async run(verb: keyof typeof TOOLS, args: readonly string[], user: string): Promise<RunResult> {
    this.#program ??= this.#start()
    const answer = await (await this.#program).ask(JSON.stringify({ user, tool: TOOLS[verb], args }))
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
    const program = await this.#program?.catch(() => undefined)
    await program?.stop()
    this.#program = undefined
  }

  async #start(): Promise<JavaLines> {
    const libraries = await hdfsLibraries()
    return JavaLines.start({ source, libraries, classpath: [this.#configuration] })
  }
}

interface Answer {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Fetches the jars and compiles the runner of the tools. */
export async function prepareTools(): Promise<void> {
  await compiled({ source, libraries: await hdfsLibraries() })
}
