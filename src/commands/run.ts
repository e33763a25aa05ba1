import { resolve } from 'node:path'
import type { Command } from 'commander'
import { Fault } from '../errors.ts'
import { type RoleName, roleNames } from '../roles/role.ts'
import type { CommandContext } from './program.ts'

interface RunOptions {
  readonly role?: string
  readonly config?: string
}

const ROLES = [...roleNames, 'all'].join(', ')

/** `causeway --role a,b --config FILE`, also `causeway run …`: runs roles until a signal ends them. */
export function runCommand(program: Command, context: CommandContext): void {
  program
    .command('run', { isDefault: true })
    .description('run roles until SIGTERM or SIGINT; a second signal ends at once')
    .option('--role <roles>', `required, what to run: ${ROLES}; several joined by commas`)
    .option('--config <file>', 'required, the TOML config file')
    .allowExcessArguments()
    .action((options: RunOptions, { args: [unexpected] }: Command) =>
      context.run(async () => {
        // Checked here and not by commander, which would complain of what is missing before what is misspelt.
        if (unexpected !== undefined)
          throw unusable(`there is no command ${JSON.stringify(unexpected)}; see --help`)
        if (options.role === undefined) throw unusable(`--role is missing; allowed: ${ROLES}`)
        if (options.config === undefined) throw unusable('--config is missing; it names the TOML config file')
        return run(parseRoles(options.role), options.config, context)
      })
    )
}

/** By then the roles have connected and loaded what they need. */
const SETTLED_MS = 3_000

async function run(
  roles: readonly RoleName[] | 'all',
  file: string,
  context: CommandContext
): Promise<number> {
  // Loaded here, so that `--help` and a misspelt role need not wait for it.
  const [{ loadConfig }, { createLogger }, { startWorker }, { compactHeap, preferSmallHeap }] =
    await Promise.all([
      import('../config.ts'),
      import('../log.ts'),
      import('../worker.ts'),
      import('../worker/heap.ts')
    ])
  preferSmallHeap()
  const config = loadConfig(resolve(context.cwd, file), context.env)
  const log = createLogger(config.log)
  const worker = await startWorker({ config, roles, log, pid: context.pid, version: context.version })
  const ignore = context.onSignal((signal) => {
    log.info({ signal }, 'signal received')
    worker.stop()
  })
  const settling = setTimeout(compactHeap, SETTLED_MS)
  try {
    return await worker.done
  } finally {
    clearTimeout(settling)
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
    throw unusable(`--role ${JSON.stringify(name)} is no role; allowed: ${ROLES}`)
  })
}

function unusable(message: string): Fault {
  return new Fault('arguments-invalid', message)
}
