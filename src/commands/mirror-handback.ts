import type { Command } from 'commander'
import { whatNamingLacks } from '../config/schema-takeover.ts'
import type { Mm2Config } from '../config.ts'
import { Fault } from '../errors.ts'
import {
  demandShards,
  type MirrorOptions,
  type NamedMirror,
  runOnMirror,
  withMirrorOptions
} from './mirror-place.ts'
import type { CommandContext } from './program.ts'

interface HandbackOptions extends MirrorOptions {
  readonly toMm2?: string
}

/** As `take_over` has it where nothing is said. */
const TASKS = 16

/** `causeway mirror handback`: MirrorMaker 2 goes on where our workers stopped. */
export function mirrorHandbackCommand(mirror: Command, context: CommandContext): void {
  withMirrorOptions(mirror.command('handback'))
    .description('let MirrorMaker 2 go on where the mirror stopped; its workers refuse to start from then on')
    .option('--to-mm2 <alias>', 'what MirrorMaker 2 calls the source (default: as in take_over)')
    .action(({ toMm2, ...options }: HandbackOptions) =>
      runOnMirror(options, context, async (mirror, open, signal) => {
        const mm2 = mm2Of(mirror, toMm2)
        const place = await open(signal)
        demandShards(place)
        const { handBack } = await import('../actors/mirror/handback.ts')
        const done = await handBack({ ...place, mm2 }, signal)
        const undo = `causeway mirror takeover --config ${options.config} --mirror ${place.name}`
        if (done === undefined) return `mirror ${place.name} was handed back before; to undo that: ${undo}`
        const what = `${done.partitions} positions are in ${done.topic}`
        return `mirror ${place.name} is handed back: ${what}; MirrorMaker 2 may be started. To undo that: ${undo}`
      })
    )
}

/** Throws `arguments-invalid` when MirrorMaker 2 would go on in other topics than ours. */
function mm2Of({ name, naming, takeOver }: NamedMirror, alias = takeOver?.mm2.source): Mm2Config {
  if (alias === undefined)
    throw new Fault('arguments-invalid', `--to-mm2 is missing; [mirror.${name}] has no take_over`)
  const policy = naming.type === 'identity' ? 'identity' : 'default'
  const mm2: Mm2Config = { source: alias, policy, tasks: takeOver?.mm2.tasks ?? TASKS }
  const needed = whatNamingLacks(naming, mm2)
  if (needed === undefined) return mm2
  const message = `MirrorMaker 2 would go on in other topics: [mirror.${name}] needs naming = ${needed}`
  throw new Fault('arguments-invalid', message)
}
