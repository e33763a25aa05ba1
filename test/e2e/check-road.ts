import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { pythonTool } from '../tools/python.ts'

/** What an outside reader found in one store, compared with the input. */
export interface StoreVerdict {
  readonly count: number
  readonly missing: number
  readonly repeated: number
  readonly wrong: number
  readonly outOfOrder: number
  readonly examples: unknown
}

export interface RoadVerdict {
  readonly source: StoreVerdict
  readonly target: StoreVerdict
  readonly hdfs: StoreVerdict
  readonly s3: StoreVerdict
  readonly warehouse: StoreVerdict
  readonly deadLetters: readonly {
    readonly headers: Readonly<Record<string, string | null>>
    readonly value: string | null
  }[]
}

/** Reads all stores of a running demo with librdkafka, pyarrow and psycopg and compares them with the payloads. */
export async function checkRoad(dataDir: string, payloads: readonly string[]): Promise<RoadVerdict> {
  const expected = join(dataDir, 'expected.ndjson')
  writeFileSync(expected, payloads.map((payload) => `${payload}\n`).join(''))
  const printed = await pythonTool('check_road.py', [join(dataDir, 'endpoints.json'), expected])
  return JSON.parse(printed) as RoadVerdict
}

/** Every store holds exactly the payloads, once and in order. */
export function expectFlawless(verdict: RoadVerdict, count: number): void {
  for (const store of ['source', 'target', 'hdfs', 's3', 'warehouse'] as const) {
    const { examples, ...numbers } = verdict[store]
    const clean = { count, missing: 0, repeated: 0, wrong: 0, outOfOrder: 0 }
    expect(numbers, `${store}: ${JSON.stringify(examples)}`).toEqual(clean)
  }
}
