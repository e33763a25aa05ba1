import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Config, HiveConfig } from '../config.ts'
import { exitCodes, Fault } from '../errors.ts'
import type { CommandContext } from './program.ts'

interface DdlOptions {
  readonly config: string
  readonly sink: string
  readonly database?: string
  readonly table?: string
  readonly added?: string
  readonly partitions?: boolean
}

/** `causeway hive ddl`: what a sink with a `hive` table tells Hive, for people who tell it themselves. */
export function hiveCommand(program: Command, context: CommandContext): void {
  const hive = program
    .command('hive')
    .description('the external tables that show what HDFS sinks wrote')
    .helpCommand(false)
  hive
    .command('ddl')
    .description('print the statements for the table of a sink; Hive is not asked')
    .requiredOption('--config <file>', 'the TOML config file')
    .requiredOption('--sink <name>', 'NAME of its [hdfs_sink.NAME]')
    .option('--database <name>', 'database of the table, where the config has none')
    .option('--table <name>', 'the table, where the config has none')
    .option('--added <columns>', 'add these to a table that is older than they are, such as "lang,place"')
    .option('--partitions', 'add the partitions of all files that the log of the sink names')
    .action((options: DdlOptions) => context.run(() => ddl(options, context)))
}

async function ddl(options: DdlOptions, context: CommandContext): Promise<number> {
  const [{ loadConfig }, { addColumns, createTable }, { hiveTable }, { sinkColumns }] = await Promise.all([
    import('../config.ts'),
    import('../actors/hive/ddl.ts'),
    import('../actors/hive/table.ts'),
    import('../actors/rows/open.ts')
  ])
  const config = loadConfig(resolve(context.cwd, options.config), context.env)
  const { sinkConfig, store } = placesOf(config, options.sink)
  const table = hiveTable({
    hive: namesOf(options, sinkConfig.hive),
    sink: `${config.name}.${options.sink}`,
    template: sinkConfig.template,
    columns: sinkColumns(sinkConfig),
    store
  })
  const tell = (statement: string) => context.out(`${statement};`)
  tell(createTable(table))
  if (options.added !== undefined) {
    const added = options.added.split(',').map((name) => {
      const column = table.columns.find((each) => each.name === name.trim().toLowerCase())
      if (column !== undefined) return column
      const known = table.columns.map((each) => each.name).join(', ')
      throw new Fault('arguments-invalid', `--added: no column ${JSON.stringify(name)}; there are ${known}`)
    })
    tell(addColumns(table, added))
  }
  if (options.partitions !== true) return exitCodes.done

  const [{ statementsFor }, { createHdfsStore }] = await Promise.all([
    import('../actors/hive/statements.ts'),
    import('../actors/hdfs/store.ts')
  ])
  const hdfs = createHdfsStore(store)
  const ending = new AbortController()
  const ignore = context.onSignal((signal) =>
    ending.abort(new Fault('interrupted', `ended by ${signal}; run it again`))
  )
  try {
    for await (const statement of statementsFor(hdfs, table, ending.signal)) tell(statement)
    return exitCodes.done
  } finally {
    ignore()
    hdfs.close()
  }
}

function placesOf(config: Config, sink: string) {
  const sinkConfig = config.hdfsSinks[sink]
  if (sinkConfig === undefined) {
    throw new Fault('arguments-invalid', `the config has no [hdfs_sink.${sink}]`)
  }
  const store = config.stores[sinkConfig.store]
  if (store?.type === 'hdfs') return { sinkConfig, store }
  throw new Fault('config-invalid', `[hdfs_sink.${sink}] names no store of type "hdfs"`)
}

/** Names on the command line come before those of the config. */
function namesOf({ database, table }: DdlOptions, hive: HiveConfig | undefined) {
  const named = table ?? hive?.table
  if (named === undefined) {
    throw new Fault('arguments-invalid', '--table is needed: the config has no `hive` for this sink')
  }
  return {
    database: database ?? hive?.database ?? 'default',
    table: named,
    timestamps: hive?.timestamps ?? ('timestamp' as const),
    ...(hive?.fileSystem !== undefined && { fileSystem: hive.fileSystem })
  }
}
