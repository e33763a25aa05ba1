import { line, origin, type SoakFacts, tableOfDisturbances } from '../markdown.ts'
import type { TopicVerdict } from './pair.ts'

/** What a soak of mirrors was and found. */
export interface MirrorSoakRun extends SoakFacts {
  readonly verdict: Readonly<Record<string, TopicVerdict>>
  /** Of the workers, ended in order after it all. */
  readonly exits: readonly number[]
}

/** Whether each topic has each record of its source once, unchanged and in order. */
export function isFlawless({ verdict, exits }: MirrorSoakRun): boolean {
  const clean = Object.values(verdict).every(
    ({ records, missing, repeatedOrWrong, partitionsOutOfOrder }) =>
      records > 0 && missing + repeatedOrWrong + partitionsOutOfOrder === 0
  )
  return clean && exits.every((exit) => exit === 0)
}

/** The run as Markdown. */
export function report(run: MirrorSoakRun): string {
  return [
    '# Soak: mirrors under kills, zombies and faults',
    '',
    `${origin(run)} Two workers (${run.program}) in one group, each with a mirror from three brokers`,
    'of Apache Kafka 4.1.1 to a single one and another the other way, while plain producers of each codec and transactional',
    'ones with every third transaction aborted wrote records of all sizes.',
    '',
    '## Disturbances',
    '',
    'Recovered: from the end of the disturbance (for workers, from the start of the next process) until everything that the',
    'sources had then was committed on the targets.',
    '',
    ...tableOfDisturbances(run.disturbances),
    '',
    '## What librdkafka read afterwards',
    '',
    'read_committed, CRCs checked; key, value, headers, timestamp and order within each partition, compared with the source.',
    '',
    line(['topic', 'records', 'missing', 'repeated or wrong', 'partitions out of order']),
    line(['---', '---:', '---:', '---:', '---:']),
    ...Object.entries(run.verdict).map(
      ([topic, { records, missing, repeatedOrWrong, partitionsOutOfOrder }]) =>
        line([topic, records, missing, repeatedOrWrong, partitionsOutOfOrder])
    ),
    '',
    `The workers, ended in order, said ${run.exits.join(' and ')}.`,
    ''
  ].join('\n')
}
