import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cached } from '../tools/cache.ts'
import { type RunResult, runOk } from '../tools/run.ts'
import { hasKafka, kafkaLibraries } from './kafka.ts'
import { hasMaven } from './maven.ts'

const source = join(import.meta.dirname, 'kafka', 'KafkaTools.java')

/** Whether Kafka's tools can be had here: they are run by a class that is compiled first. */
export const hasKafkaTools = hasKafka && hasMaven

/** Kafka's command line tools that the tests use, by the class that its scripts run. */
const TOOLS = {
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'kafka-cluster': 'org.apache.kafka.tools.ClusterTool',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-transactions': 'org.apache.kafka.tools.TransactionsCommand',
  'transactional-message-copier': 'org.apache.kafka.tools.TransactionalMessageCopier',
  'kafka-verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
  'kafka-verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer'
} as const

export type KafkaTool = keyof typeof TOOLS

/** A tool that runs. */
export interface RunningTool {
  /** The lines of its standard output so far. */
  readonly lines: readonly string[]
  /** What `SIGTERM` does: its shutdown hooks run. */
  end(): void
  /** Resolves when it has ended. */
  readonly result: Promise<RunResult>
}

/** Kafka 4.1.1's command line tools, side by side in one process that is started by the first command. */
export class KafkaTools {
  #process: Promise<ToolsProcess> | undefined

  /** Runs a tool to its end. */
  async run(tool: KafkaTool, args: readonly string[], input = ''): Promise<RunResult> {
    return (await this.start(tool, args, input)).result
  }

  /** Like `run`, but what fails is an error that says why; returns the lines that the tool printed. */
  async runOk(tool: KafkaTool, args: readonly string[], input = ''): Promise<string[]> {
    const { code, stdout, stderr } = await this.run(tool, args, input)
    if (code === 0) return stdout.split('\n').slice(0, -1)
    throw new Error(`${tool} ${args.join(' ')} ended with ${code}:\n${`${stderr}${stdout}`.slice(-2_000)}`)
  }

  /** Starts a tool that runs until it is ended. */
  async start(tool: KafkaTool, args: readonly string[], input = ''): Promise<RunningTool> {
    this.#process ??= startTools(() => {
      this.#process = undefined
    })
    return (await this.#process).start(TOOLS[tool], args, input)
  }

  async stop(): Promise<void> {
    await (await this.#process?.catch(() => undefined))?.stop()
    this.#process = undefined
  }
}

/** The compiled runner of the tools. */
export async function kafkaToolsClasses(): Promise<string> {
  const libraries = await kafkaLibraries()
  return cached('kafka-tools', `${libraries}\n${readFileSync(source, 'utf8')}`, async (directory) => {
    await runOk('javac', ['-d', directory, '-cp', `${libraries}/*`, source])
  })
}

interface ToolsProcess {
  readonly start: (tool: string, args: readonly string[], input: string) => RunningTool
  readonly stop: () => Promise<void>
}

type Answer =
  | { readonly ready: true }
  | { readonly id: number; readonly out: string }
  | { readonly id: number; readonly code: number; readonly err: string }

interface Run {
  readonly lines: string[]
  readonly resolve: (result: RunResult) => void
  readonly reject: (error: Error) => void
}

async function startTools(onEnd: () => void): Promise<ToolsProcess> {
  const classpath = `${await kafkaToolsClasses()}:${await kafkaLibraries()}/*`
  const quick = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xmx384m']
  const settings = [
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
    '--add-opens=java.base/java.lang=ALL-UNNAMED'
  ]
  // It ends with its input, so it does not outlive this process.
  const child = spawn('java', [...quick, ...settings, '-cp', classpath, 'KafkaTools'], { stdio: 'pipe' })
  const runs = new Map<number, Run>()
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000)
  })
  await new Promise<void>((resolve, reject) => {
    child.on('close', () => {
      onEnd()
      const error = new Error(`Kafka's tools ended:\n${said}`)
      reject(error)
      for (const run of runs.values()) run.reject(error)
    })
    createInterface(child.stdout).on('line', (line) => {
      const answer = JSON.parse(line) as Answer
      if ('ready' in answer) resolve()
      else take(runs, answer)
    })
  })
  let id = 0
  const start = (tool: string, args: readonly string[], input: string) => {
    const run = ++id
    const lines: string[] = []
    const result = new Promise<RunResult>((resolve, reject) => {
      runs.set(run, { lines, resolve, reject })
    })
    // Whoever ends a tool need not look at its result.
    result.catch(() => {})
    child.stdin.write(`${JSON.stringify({ id: run, tool, args, input })}\n`)
    return { lines, result, end: () => child.stdin.write(`${JSON.stringify({ id: run })}\n`) }
  }
  return { start, stop: () => end(child) }
}

function take(runs: Map<number, Run>, answer: Exclude<Answer, { readonly ready: true }>): void {
  const run = runs.get(answer.id)
  if ('out' in answer) {
    run?.lines.push(answer.out)
    return
  }
  runs.delete(answer.id)
  const stdout = (run?.lines ?? []).map((line) => `${line}\n`).join('')
  run?.resolve({ code: answer.code, stdout, stderr: answer.err })
}

async function end(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}
