import type { Command } from 'commander'
import type { CommandContext } from './program.ts'
import { sinkRewindCommand } from './sink-rewind.ts'

/** `causeway sink …`: what is done to the commit logs of sinks. */
export function sinkCommand(program: Command, context: CommandContext): void {
  const sink = program.command('sink').description('look after the commit logs of sinks').helpCommand(false)
  sinkRewindCommand(sink, context)
}
