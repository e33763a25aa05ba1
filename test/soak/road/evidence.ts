import type { RoadVerdict } from '../../e2e/check-road.ts'
import { line, origin, type SoakFacts, tableOfDisturbances } from '../markdown.ts'

/** What a soak run was and found. */
export interface SoakRun extends SoakFacts {
  readonly events: number
  readonly exit: number | null
  readonly verdict: RoadVerdict
  /** Names of credentials found in what the workers said; must be empty. */
  readonly leaks: readonly string[]
}

const stores = ['source', 'target', 'hdfs', 's3', 'warehouse'] as const

/** Whether every store holds each event once, unchanged and in order, and everything was met. */
export function isFlawless({ verdict, events, exit, leaks }: SoakRun): boolean {
  const clean = stores.every((name) => {
    const { count, missing, repeated, wrong, outOfOrder } = verdict[name]
    return count === events && missing + repeated + wrong + outOfOrder === 0
  })
  return clean && exit === 0 && leaks.length === 0
}

/** The run as Markdown. */
export function report(run: SoakRun): string {
  const { disturbances, verdict } = run
  return [
    '# Soak: kills and faults on real services',
    '',
    `${origin(run)} One worker with all five roles `,
    `(${run.program}) between Apache Kafka 4.1.1 twice, HDFS 3.4.3, MinIO and PostgreSQL 18, while events came in.`,
    '',
    '## Disturbances',
    '',
    'Recovered: until every role was ready and had carried something new; for the worker since the start of its process,',
    'for the rest since the service was back or the rule had hit.',
    '',
    ...tableOfDisturbances(disturbances),
    '',
    '## What readers of others found afterwards',
    '',
    `${run.events} events went in. Topics were read by librdkafka (read_committed, CRCs checked), files by pyarrow, rows by`,
    'psycopg; each is compared with the input by id and SHA-256 or by every column, and by order within its partition.',
    '',
    line(['store', 'records', 'missing', 'repeated', 'wrong', 'out of order']),
    line(['---', '---:', '---:', '---:', '---:', '---:']),
    ...stores.map((name) => {
      const { count, missing, repeated, wrong, outOfOrder } = verdict[name]
      return line([name, count, missing, repeated, wrong, outOfOrder])
    }),
    '',
    `The last worker ended with ${run.exit}. Credentials found in what the workers said: ${run.leaks.length === 0 ? 'none' : run.leaks.join(', ')}.`,
    ''
  ].join('\n')
}
