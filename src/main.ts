#!/usr/bin/env node
import manifest from '../package.json' with { type: 'json' }
import { runProgram } from './commands/program.ts'
import { exitCodes } from './errors.ts'
import { createLogger } from './log.ts'

// The only file that touches `process`. Everything else is handed what it needs.

/** What nobody caught is a defect and leaves the process in an unknown state: one line, and the end. */
function crash(error: unknown): never {
  createLogger({ level: 'fatal', format: 'json' }).fatal({ err: error }, 'unexpected error, the process ends')
  process.exit(exitCodes.failed)
}
process.on('uncaughtException', crash)
process.on('unhandledRejection', crash)

/** The whole program; a function, because the executable's one CommonJS file knows no top-level `await`. */
async function main(): Promise<void> {
  const exitCode = await runProgram(process.argv.slice(2), {
    env: process.env,
    cwd: process.cwd(),
    pid: process.pid,
    version: manifest.version,
    out: (line) => process.stdout.write(`${line}\n`),
    err: (line) => process.stderr.write(`${line}\n`),
    onSignal: (listener) => {
      const signals = ['SIGTERM', 'SIGINT'] as const
      for (const signal of signals) process.on(signal, listener)
      return () => {
        for (const signal of signals) process.off(signal, listener)
      }
    }
  })

  // Leaves even when something still holds the event loop, but not before the last line has been written.
  process.exitCode = exitCode
  process.stdout.write('', () => process.exit(exitCode))
}

void main()
