import type { Command } from 'commander'
import type { CommandContext } from './program.ts'
import { s3LifecycleCommand } from './s3-lifecycle.ts'

/** `causeway s3 …`: what is done to the buckets that S3 sinks write into. */
export function s3Command(program: Command, context: CommandContext): void {
  const s3 = program
    .command('s3')
    .description('look after the buckets that S3 sinks write into')
    .helpCommand(false)
  s3LifecycleCommand(s3, context)
}
