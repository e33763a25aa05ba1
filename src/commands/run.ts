import { resolve } from 'node:path'
import type { Command } from 'commander'
import { loadConfig } from '../config.ts'
import { Fault } from '../errors.ts'
import { createLogger } from '../log.ts'
import { type RoleName, roleNames } from '../roles/role.ts'
import { startWorker } from '../worker.ts'
import type { CommandContext } from './program.ts'

interface RunOptions {
  readonly role: string
  readonly config: string
}

/** `causeway --role a,b --config FILE`, also `causeway run …`: runs roles until a signal ends them. */
export function runCommand(program: Command, context: CommandContext): void {
  program
    .command('run', { isDefault: true })
    .description('run roles until SIGTERM or SIGINT; a second signal ends at once')
    .requiredOption(
      '--role <roles>',
      `what to run: ${[...roleNames, 'all'].join(', ')}; several joined by commas`
    )
    .requiredOption('--config <file>', 'the TOML config file')
    .action(({ role, config }: RunOptions) => context.run(() => run(parseRoles(role), config, context)))
}

async function run(
  roles: readonly RoleName[] | 'all',
  file: string,
  context: CommandContext
): Promise<number> {
  const config = loadConfig(resolve(context.cwd, file), context.env)
  const log = createLogger(config.log)
  const worker = await startWorker({ config, roles, log, pid: context.pid, version: context.version })
  const ignore = context.onSignal((signal) => {
    log.info({ signal }, 'signal received')
    worker.stop()
  })
  try {
    return await worker.done
  } finally {
    ignore()
  }
}

/** `all`, or role names joined by commas. Throws `arguments-invalid` naming the allowed ones. */
export function parseRoles(text: string): readonly RoleName[] | 'all' {
  const names = text.split(',').map((name) => name.trim())
  if (names.includes('all')) return 'all'
  return names.map((name) => {
    const role = roleNames.find((known) => known === name)
    if (role !== undefined) return role
    const allowed = [...roleNames, 'all'].join(', ')
    throw new Fault('arguments-invalid', `--role ${JSON.stringify(name)} is no role; allowed: ${allowed}`)
  })
}
