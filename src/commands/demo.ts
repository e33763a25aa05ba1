import type { Command } from 'commander'
import { parseDemoOptions, type RawDemoOptions } from '../demo/options.ts'
import type { CommandContext } from './program.ts'

/** `causeway demo`: the whole road on one machine, over embedded services, which no other command has to load. */
export function demoCommand(program: Command, context: CommandContext): void {
  program
    .command('demo')
    .description('start embedded services on loopback and run all five roles over them')
    .option('--events <n>', 'how many events the generator makes', '20000')
    .option('--rate <n>', 'events per second (default: as fast as the road takes them)')
    .option('--input <file>', 'send the lines of this NDJSON file instead of generated events')
    .option('--port <n>', 'port of the page, 0 for a free one', '9464')
    .option('--data-dir <dir>', 'keep everything here (default: a temporary one, removed at the end)')
    .option('--exit-when-done', 'end when every event has reached every store')
    .option('--json', 'print the final counts as one JSON object')
    .option('--source-brokers <list>', 'use this Kafka cluster as the source instead of the embedded one')
    .option('--target-brokers <list>', 'use this Kafka cluster as the target instead of the embedded one')
    .action((raw: RawDemoOptions) =>
      context.run(async () => {
        const options = parseDemoOptions(raw, context.cwd)
        const { runDemo } = await import('../demo/demo.ts')
        return runDemo(options, context)
      })
    )
}
