import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { cached } from '../tools/cache.ts'
import { runOk } from '../tools/run.ts'
import { quickJava } from './maven.ts'

/** A Java program of ours that says `ready` and then answers each line of its input with a line. */
export interface JavaProgram {
  /** The file of its only class. */
  readonly source: string
  /** Folder of the jars that it needs. */
  readonly libraries: string
  /** Folders that come before the jars. */
  readonly classpath?: readonly string[]
  readonly options?: readonly string[]
}

/** The compiled program. */
export function compiled({ source, libraries }: JavaProgram): Promise<string> {
  const name = classOf(source).toLowerCase()
  return cached(name, `${libraries}\n${readFileSync(source, 'utf8')}`, async (directory) => {
    await runOk('javac', ['-d', directory, '-cp', `${libraries}/*`, source])
  })
}

/** A running program; it ends with its input, so it does not outlive this process. */
export class JavaLines {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  #last: Promise<unknown>
  #said = ''

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    child.stderr.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(-4_000)
    })
    this.#last = this.#next()
  }

  static async start(program: JavaProgram): Promise<JavaLines> {
    const { source, libraries, classpath = [], options = [] } = program
    const all = [...classpath, await compiled(program), `${libraries}/*`].join(':')
    const args = [...quickJava, '-Xmx256m', ...options, '-cp', all, classOf(source)]
    const started = new JavaLines(spawn('java', args, { cwd: dirname(source), stdio: 'pipe' }))
    await started.#last
    return started
  }

  /** Questions are answered one after the other. */
  ask(line: string): Promise<string> {
    const answer = this.#last.then(() => {
      this.#child.stdin.write(`${line}\n`)
      return this.#next()
    })
    this.#last = answer.catch(() => undefined)
    return answer
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await ended
  }

  async #next(): Promise<string> {
    const line = await this.#lines.next()
    if (line.done) throw new Error(`a Java program ended:\n${this.#said}`)
    return line.value
  }
}

function classOf(source: string): string {
  return basename(source, '.java')
}
