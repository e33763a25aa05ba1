import { type Command, InvalidArgumentError } from 'commander'
import { type MirrorOptions, runOnMirror, withMirrorOptions } from './mirror-place.ts'
import type { CommandContext } from './program.ts'

interface ReshardOptions extends MirrorOptions {
  readonly shards: number
}

const SHARDS_MAX = 1024

/** `causeway mirror reshard`: another number of shards, for a mirror that has become too large for what it has. */
export function mirrorReshardCommand(mirror: Command, context: CommandContext): void {
  withMirrorOptions(mirror.command('reshard'))
    .description('give a mirror another number of shards')
    .requiredOption('--shards <n>', `how many, from 1 to ${SHARDS_MAX}`, parseShards)
    .action(({ shards: to, ...options }: ReshardOptions) =>
      runOnMirror(options, context, async (_, open, signal) => {
        const { reshard } = await import('../actors/mirror/reshard.ts')
        const place = await open(signal)
        const { name, positionsTopic: topic, partitions, generation, claim, takeOver } = place
        const current = { topic, partitions, generation }
        const wanted = { to, claim: { ...claim, shards: to }, isTakingOver: takeOver !== undefined }
        const moved = await reshard({ ...place, current, ...wanted }, signal)
        if (moved === undefined) return `mirror ${name} has ${to} shards already`
        return `mirror ${name} has ${to} shards now, its positions are in ${moved}; set shards = ${to} in [mirror.${name}]`
      })
    )
}

function parseShards(given: string): number {
  const shards = /^\d{1,4}$/.test(given) ? Number(given) : 0
  if (shards >= 1 && shards <= SHARDS_MAX) return shards
  throw new InvalidArgumentError(`Allowed: a whole number from 1 to ${SHARDS_MAX}.`)
}
