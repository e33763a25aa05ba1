import { Command, CommanderError } from 'commander'
import { exitCodeOf, exitCodes, toFault } from '../errors.ts'
import { describeError } from '../log.ts'
import { checkConfigCommand } from './check-config.ts'
import { demoCommand } from './demo.ts'
import { healthCommand } from './health.ts'
import { hiveCommand } from './hive.ts'
import { mirrorCommand } from './mirror.ts'
import { offsetsCommand } from './offsets.ts'
import { runCommand } from './run.ts'
import { s3Command } from './s3.ts'
import { sinkCommand } from './sink.ts'

/** What the commands see of the process and the terminal; only `main.ts` touches those themselves. */
export interface Shell {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where relative paths of arguments start. */
  readonly cwd: string
  readonly pid: number
  readonly version: string
  /** Writes a line to standard output. */
  readonly out: (line: string) => void
  /** Writes a line to standard error. */
  readonly err: (line: string) => void
  /** Calls the listener at every SIGTERM and SIGINT until the returned function is called. */
  readonly onSignal: (listener: (signal: string) => void) => () => void
}

export interface CommandContext extends Shell {
  /** Runs a command to its exit code. What it throws is told on standard error and decides the code. */
  readonly run: (command: () => Promise<number>) => Promise<void>
}

/**
 * Runs the command line (without node and script) and resolves with the exit code: 0 done, 1 failed while running, 2
 * unusable arguments or config. Never rejects. A user's mistake is told in one line per fault, without a stack.
 */
export async function runProgram(args: readonly string[], shell: Shell): Promise<number> {
  let exitCode: number = exitCodes.done
  const context: CommandContext = {
    ...shell,
    run: async (command) => {
      exitCode = await command().catch((error: unknown) => tell(error, shell))
    }
  }
  try {
    await createProgram(context).parseAsync([...args], { from: 'user' })
  } catch (error) {
    // Commander has already told what was wrong, or shown the help or version that was asked for.
    if (!(error instanceof CommanderError)) return tell(error, shell)
    return error.exitCode === 0 ? exitCodes.done : exitCodes.unusable
  }
  return exitCode
}

/** Each command file adds its verb; `run` is the one that needs no name. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('causeway')
    .description('Carries event streams across a hybrid cloud, exactly once.')
    .usage('--role <roles> --config <file>\n       causeway <command> [options]')
    .version(context.version, '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.out(text.replace(/\n$/, '')),
      writeErr: (text) =>
        context.err(
          text
            .trimEnd()
            .replaceAll('\n', ' ')
            .replace(/^error: /, 'causeway: ')
        )
    })
  runCommand(program, context)
  checkConfigCommand(program, context)
  demoCommand(program, context)
  mirrorCommand(program, context)
  offsetsCommand(program, context)
  s3Command(program, context)
  hiveCommand(program, context)
  sinkCommand(program, context)
  healthCommand(program, context)
  return program
}

function tell(error: unknown, { err }: Shell): number {
  const fault = toFault(error)
  for (const line of fault.message.split('\n')) err(`causeway: ${line}`)
  // An error that nobody classified is a defect: where it came from is needed to mend it.
  if (fault.code === 'unknown') err(JSON.stringify(describeError(error)))
  return exitCodeOf(fault)
}
