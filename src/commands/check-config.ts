import { resolve } from 'node:path'
import type { Command } from 'commander'
import { exitCodes } from '../errors.ts'
import { allInstances } from '../roles/catalog.ts'
import type { CommandContext } from './program.ts'

/** `causeway check-config FILE`: tells everything that is wrong with a config, or which roles it names. */
export function checkConfigCommand(program: Command, context: CommandContext): void {
  program
    .command('check-config')
    .description('check a config file, its references and secrets included, without running anything')
    .argument('<file>', 'the TOML config file')
    .action((file: string) =>
      context.run(async () => {
        const { loadConfig } = await import('../config.ts')
        const config = loadConfig(resolve(context.cwd, file), context.env)
        const roles = allInstances(config).map(({ id }) => id)
        context.out(`${file} is valid; roles: ${roles.join(', ') || 'none'}`)
        return exitCodes.done
      })
    )
}
