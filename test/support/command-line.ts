import { runProgram } from '../../src/commands/program.ts'

export interface Said {
  readonly exitCode: number
  readonly out: string
  readonly err: string
}

/** Runs the program in this process, with an empty environment, and keeps what it prints. */
export async function causeway(cwd: string, ...args: readonly string[]): Promise<Said> {
  const [out, err]: [string[], string[]] = [[], []]
  const exitCode = await runProgram([...args], {
    env: {},
    cwd,
    pid: process.pid,
    version: '1.2.3',
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    onSignal: () => () => undefined
  })
  return { exitCode, out: out.join('\n'), err: err.join('\n') }
}
