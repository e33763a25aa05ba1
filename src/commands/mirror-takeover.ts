import type { Command } from 'commander'
import { Fault } from '../errors.ts'
import { demandShards, type MirrorOptions, runOnMirror, withMirrorOptions } from './mirror-place.ts'
import type { CommandContext } from './program.ts'

/** `causeway mirror takeover`: what the first start does by itself, and what undoes a handback. */
export function mirrorTakeoverCommand(mirror: Command, context: CommandContext): void {
  withMirrorOptions(mirror.command('takeover'))
    .description('go on where MirrorMaker 2 stopped (take_over in the config); undoes a handback')
    .action((options: MirrorOptions) =>
      runOnMirror(options, context, async ({ name, takeOver: from, ...config }, open, signal) => {
        if (from === undefined) throw new Fault('arguments-invalid', `[mirror.${name}] has no take_over`)
        const [{ takeOver }, { ensurePositionsTopic }] = await Promise.all([
          import('../actors/mirror/takeover.ts'),
          import('../actors/mirror/prepare.ts')
        ])
        const place = await open(signal)
        if (place.partitions > 0) demandShards(place)
        await ensurePositionsTopic(place.target, place.positionsTopic, config, signal)
        const taken = await takeOver({ ...place, ...from, again: true }, signal)
        if (taken === undefined)
          return `mirror ${name} has positions of its own: there is nothing to take over`
        return `mirror ${name} goes on where MirrorMaker 2 stopped: ${taken} partitions taken over`
      })
    )
}
