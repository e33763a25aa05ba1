import type { Command } from 'commander'
import type { GroupRow } from '../actors/mirror/offsets/group-table.ts'
import { type MirrorOptions, runOnMirror, withMirrorOptions } from './mirror-place.ts'
import type { CommandContext } from './program.ts'

interface TranslateOptions extends MirrorOptions {
  readonly group: string
  readonly json?: boolean
}

/** `causeway offsets translate`: where a consumer group of the source goes on on the target. */
export function offsetsCommand(program: Command, context: CommandContext): void {
  const offsets = program
    .command('offsets')
    .description('where consumers of a mirror’s source go on on its target')
    .helpCommand(false)
  withMirrorOptions(offsets.command('translate'))
    .description('translate the committed offsets of a consumer group; the mirror may run meanwhile')
    .requiredOption('--group <group>', 'the consumer group, on the source')
    .option('--json', 'print a JSON array')
    .action(({ group, json = false, ...options }: TranslateOptions) =>
      runOnMirror(options, context, async (_, open, signal) => {
        const { groupTable } = await import('../actors/mirror/offsets/group-table.ts')
        const rows = await groupTable(await open(signal), group, signal)
        return json ? JSON.stringify(rows, undefined, 2) : tableOf(rows)
      })
    )
}

const HEAD = ['TOPIC', 'PARTITION', 'TARGET TOPIC', 'SOURCE OFFSET', 'TARGET OFFSET', 'PLACE', 'SOURCE LAG']

export function tableOf(rows: readonly GroupRow[]): string {
  const lines = rows.map(
    ({ topic, partition, targetTopic, sourceOffset, targetOffset, exact, sourceLag }) => {
      const place = targetOffset === null ? 'none' : exact ? 'exact' : 'approximate'
      return [topic, partition, targetTopic, sourceOffset, targetOffset ?? '-', place, sourceLag].map(String)
    }
  )
  const all = [HEAD, ...lines]
  const widths = HEAD.map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0)))
  return all
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}
