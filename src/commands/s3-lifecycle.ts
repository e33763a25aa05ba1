import { resolve } from 'node:path'
import type { Command } from 'commander'
import { exitCodes, Fault } from '../errors.ts'
import type { CommandContext } from './program.ts'

interface LifecycleOptions {
  readonly config: string
  readonly plan?: boolean
  readonly apply?: boolean
  readonly json?: boolean
}

/** `causeway s3 lifecycle`: the rules by which S3 lets files expire after the `ttl` of their sink. */
export function s3LifecycleCommand(s3: Command, context: CommandContext): void {
  s3.command('lifecycle')
    .description('merge the rules for `ttl` into the lifecycles of the buckets; the rules of others stay')
    .requiredOption('--config <file>', 'the TOML config file')
    .option('--plan', 'tell what would change, which is the default')
    .option('--apply', 'write it, and read it back')
    .option('--json', 'print the whole lifecycles as JSON instead, and write nothing')
    .action((options: LifecycleOptions) => context.run(() => lifecycle(options, context)))
}

async function lifecycle(
  { config: file, plan = false, apply = false, json = false }: LifecycleOptions,
  context: CommandContext
): Promise<number> {
  if (apply && (plan || json)) throw new Fault('arguments-invalid', '--apply stands alone')
  const [{ loadConfig }, { applyPlan, demandApplicable, jsonOf, linesOf, planLifecycles }] =
    await Promise.all([import('../config.ts'), import('../actors/s3/lifecycle-plan.ts')])
  const config = loadConfig(resolve(context.cwd, file), context.env)
  const ending = new AbortController()
  const ignore = context.onSignal((signal) =>
    ending.abort(new Fault('interrupted', `ended by ${signal}; run it again`))
  )
  try {
    const plans = await planLifecycles(config, ending.signal)
    const text = json ? [JSON.stringify(plans.map(jsonOf), undefined, 2)] : plans.flatMap(linesOf)
    for (const line of text) context.out(line)
    if (!apply) return exitCodes.done
    // All that can be refused is refused before the first bucket is written to.
    for (const each of plans) demandApplicable(each)
    for (const each of plans) context.out(await applyPlan(each, ending.signal))
    return exitCodes.done
  } finally {
    ignore()
  }
}
