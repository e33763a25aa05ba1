/**
 * Tortures one worker on real services and compares what came out with what went in: `npm run test:soak -- --help`.
 *
 * Prints the seed, a line per disturbance, and writes `docs/evidence/soak.md`. Ends with 1 when anything was lost,
 * repeated, changed or out of order.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { chooseSeed, seeded } from '../test/e2e/random.ts'
import { type Disturbance, fullPlan, type Outcome } from '../test/soak/disturbances.ts'
import { isFlawless, report, type SoakRun } from '../test/soak/evidence.ts'
import { programUnderTest } from '../test/soak/program.ts'
import { SoakRoad } from '../test/soak/road.ts'

const { only, times, rate, out } = new Command('test:soak')
  .option('--only <text>', 'only the disturbances whose name contains this')
  .option(
    '--times <n>',
    'do each so often, instead of 100 kills of the worker and 10 of everything else',
    Number
  )
  .option('--rate <n>', 'events per second', Number, 200)
  .option('--out <file>', 'where the report goes', join(import.meta.dirname, '../docs/evidence/soak.md'))
  .parse()
  .opts<{ only?: string; times?: number; rate: number; out: string }>()

const seed = chooseSeed('soak')
const random = seeded(seed)
const startedAt = new Date()
const road = await SoakRoad.start(programUnderTest, rate)
const done = new Map<string, Outcome[]>()
try {
  for (const { disturbance, times: planned } of fullPlan()) {
    if (only !== undefined && !disturbance.name.includes(only)) continue
    done.set(disturbance.name, await torture(disturbance, times ?? planned))
  }
  const { events, verdict, exit } = await road.finish()
  const run: SoakRun = {
    command: commandLine(process.argv.slice(2)),
    program: programUnderTest.length === 1 ? 'the executable' : 'from its sources',
    ...{ seed, startedAt, events, exit, verdict },
    minutes: (Date.now() - startedAt.getTime()) / 60_000,
    disturbances: [...done].map(([name, outcomes]) => ({ name, outcomes })),
    leaks: road.leaks()
  }
  mkdirSync(join(out, '..'), { recursive: true })
  writeFileSync(out, report(run))
  console.log(report(run))
  if (!isFlawless(run)) {
    console.error(JSON.stringify(verdict))
    process.exitCode = 1
  }
} finally {
  await road.stop()
}
// Node's own cleanup counts requests of sockets that were reset, and may wait for them for ever, at full speed.
process.exit()

/** Repeats a disturbance until it has met work so often as wanted, or has tried twice as often. */
async function torture(disturbance: Disturbance, wanted: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  while (outcomes.filter(({ met }) => met).length < wanted && outcomes.length < 2 * wanted) {
    const outcome = await disturbance.run(road, random)
    outcomes.push(outcome)
    const { met, recoveredMs, what } = outcome
    console.log(`${disturbance.name}: ${what}${met ? '' : ' (met nothing)'}: ${Math.round(recoveredMs)} ms`)
  }
  return outcomes
}

function commandLine(args: readonly string[]): string {
  return args.length === 0 ? 'npm run test:soak' : `npm run test:soak -- ${args.join(' ')}`
}
