import type { Command } from 'commander'
import { mirrorHandbackCommand } from './mirror-handback.ts'
import { mirrorReshardCommand } from './mirror-reshard.ts'
import { mirrorTakeoverCommand } from './mirror-takeover.ts'
import type { CommandContext } from './program.ts'

/** `causeway mirror …`: what is done to a mirror while it does not run. */
export function mirrorCommand(program: Command, context: CommandContext): void {
  const mirror = program
    .command('mirror')
    .description('take a mirror over from MirrorMaker 2, hand it back, change its shards')
    .helpCommand(false)
  mirrorTakeoverCommand(mirror, context)
  mirrorHandbackCommand(mirror, context)
  mirrorReshardCommand(mirror, context)
}
