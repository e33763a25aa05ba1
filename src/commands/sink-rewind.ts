import { resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import type { Config, SinkConfig } from '../config.ts'
import { exitCodes, Fault } from '../errors.ts'
import type { CommandContext } from './program.ts'

interface Options {
  readonly config: string
  readonly sink: string
  readonly topic: string
  readonly partition?: number
  readonly to: Target
  readonly apply?: boolean
  readonly abandon?: boolean
}

type Target = 'earliest' | 'latest' | number

/** `causeway sink rewind`: a sink goes on at another offset, in the next generation of its log. The sink may run meanwhile. */
export function sinkRewindCommand(sink: Command, context: CommandContext): void {
  sink
    .command('rewind')
    .description(
      'let a sink go on at another offset of a topic; it may run meanwhile, what it has written stays'
    )
    .requiredOption('--config <file>', 'the TOML config file')
    .requiredOption('--sink <sink>', 's3_sink.NAME or hdfs_sink.NAME')
    .requiredOption('--topic <topic>', 'the topic')
    .option('--partition <n>', 'only this partition', parseNumber)
    .requiredOption('--to <offset>', 'earliest, latest or an offset', parseTarget)
    .option('--apply', 'do it; without this, only what would be is told')
    .option('--abandon', 'give up files of the last entry that can be published no more')
    .action((options: Options) => context.run(() => rewind(options, context)))
}

async function rewind(options: Options, context: CommandContext): Promise<number> {
  const [{ loadConfig }, { createLogger }, { Clusters }, { openStore }, { planRewind }] = await Promise.all([
    import('../config.ts'),
    import('../log.ts'),
    import('../worker/clusters.ts'),
    import('../actors/store/open.ts'),
    import('../actors/store/rewind-plan.ts')
  ])
  const config = loadConfig(resolve(context.cwd, options.config), context.env)
  const { sink, name, storeConfig } = sinkOf(config, options.sink)
  const clusters = new Clusters(config, createLogger({ ...config.log, level: 'warn' }))
  const ending = new AbortController()
  const ignore = context.onSignal((signal) =>
    ending.abort(new Fault('interrupted', `ended by ${signal}; run it again`))
  )
  const { topic, partition, to, apply = false, abandon = false } = options
  const place = { cluster: clusters.get(sink.cluster), store: openStore(storeConfig) }
  try {
    const wanted = { sink: `${config.name}.${name}`, topic, partition, to, ttlMs: sink.ttlMs, now: Date.now }
    for (const plan of await planRewind(place, wanted, ending.signal)) {
      context.out(apply ? await plan.apply(abandon, ending.signal) : plan.text)
    }
    if (!apply) context.out('nothing was changed; --apply does it')
    return exitCodes.done
  } finally {
    ignore()
    clusters.close()
  }
}

function sinkOf(config: Config, given: string) {
  // The name may have dots of its own.
  const [, kind = '', name = ''] = /^([^.]*)\.(.*)$/.exec(given) ?? []
  const sinks = { s3_sink: config.s3Sinks, hdfs_sink: config.hdfsSinks }
  const sink: SinkConfig | undefined =
    kind === 's3_sink' || kind === 'hdfs_sink' ? sinks[kind][name] : undefined
  const storeConfig = sink && config.stores[sink.store]
  if (sink === undefined || storeConfig === undefined) {
    throw new Fault(
      'arguments-invalid',
      `the config has no [${given}]; --sink takes s3_sink.NAME or hdfs_sink.NAME`
    )
  }
  return { sink, name, storeConfig }
}

function parseNumber(given: string): number {
  if (/^\d{1,15}$/.test(given)) return Number(given)
  throw new InvalidArgumentError('Allowed: a whole number.')
}

function parseTarget(given: string): Target {
  if (given === 'earliest' || given === 'latest') return given
  if (/^\d{1,15}$/.test(given)) return Number(given)
  throw new InvalidArgumentError('Allowed: earliest, latest, or an offset.')
}
