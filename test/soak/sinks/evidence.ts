import { line, origin, type SoakFacts, tableOfDisturbances } from '../markdown.ts'
import type { SinkVerdict } from './verdict.ts'

/** What a soak of sinks was and found. */
export interface SinkSoakRun extends SoakFacts {
  readonly verdict: Readonly<Record<string, SinkVerdict>>
  /** Visible files that were not whole when somebody looked, after each disturbance. */
  readonly broken: number
  /** Of the workers, ended in order after it all. */
  readonly exits: readonly number[]
}

/** Whether each store has each record once, in its place, and nothing else. */
export function isFlawless({ verdict, broken, exits }: SinkSoakRun): boolean {
  const clean = Object.values(verdict).every(
    ({ records, missing, repeated, wrong, gaps, strayFiles, left }) =>
      records > 0 && missing + repeated + wrong + gaps + strayFiles + left === 0
  )
  return clean && broken === 0 && exits.every((exit) => exit === 0)
}

/** The run as Markdown. */
export function report(run: SinkSoakRun): string {
  return [
    '# Soak: sinks under kills and zombies',
    '',
    `${origin(run)} Two workers (${run.program}) in one group, each with a sink from Apache Kafka`,
    '4.1.1 into HDFS 3.4.3 and one into MinIO, while a transactional producer wrote tweets, every fifth transaction aborted',
    'and some values no tweets.',
    '',
    '## Disturbances',
    '',
    'Recovered: from the end of the disturbance until everything that Kafka had then was published in both stores.',
    '',
    ...tableOfDisturbances(run.disturbances),
    '',
    '## What stood in the stores afterwards',
    '',
    'The log, every file that it names and every file that is visible, read whole and compared with what was committed.',
    '',
    line([
      'store',
      'records',
      'entries',
      'repairs',
      'missing',
      'repeated',
      'wrong',
      'gaps',
      'stray files',
      'swept',
      'left over'
    ]),
    line(['---', ...Array.from({ length: 10 }, () => '---:')]),
    ...Object.entries(run.verdict).map(([store, found]) =>
      line([
        ...[store, found.records, found.entries, found.repairs, found.missing, found.repeated],
        ...[found.wrong, found.gaps, found.strayFiles, found.swept, found.left]
      ])
    ),
    '',
    'Swept: prepared bytes of workers that were killed, which go after a day; left over: what did not.',
    `Of the newest visible files, read after each disturbance, ${run.broken} were not whole. The workers, ended in order, said`,
    `${run.exits.join(' and ')}.`,
    ''
  ].join('\n')
}
