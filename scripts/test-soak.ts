/**
 * Tortures workers on real services and compares what came out with what went in: `npm run test:soak -- --help`.
 *
 * Prints the seed, a line per disturbance, and writes `docs/evidence/`. Ends with 1 when anything was lost, repeated,
 * changed or out of order.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { disturbances as mirrorDisturbances } from '../test/soak/mirror/disturbances.ts'
import * as mirrorEvidence from '../test/soak/mirror/evidence.ts'
import { MirrorPair } from '../test/soak/mirror/pair.ts'
import { programUnderTest } from '../test/soak/program.ts'
import { disturbances as roadDisturbances } from '../test/soak/road/disturbances.ts'
import * as roadEvidence from '../test/soak/road/evidence.ts'
import { SoakRoad } from '../test/soak/road/road.ts'
import { disturbances as sinkDisturbances } from '../test/soak/sinks/disturbances.ts'
import * as sinkEvidence from '../test/soak/sinks/evidence.ts'
import { SinkPair } from '../test/soak/sinks/pair.ts'
import { torture } from '../test/soak/torture.ts'
import { chooseSeed, seededRandom } from '../test/support/random.ts'

interface Options {
  readonly only?: string
  readonly times?: number
  readonly rate: number
  readonly out: string
}

const evidence = join(import.meta.dirname, '../docs/evidence')
const program = new Command('test:soak')
const soak = (name: string, about: string, rate: number, file: string) =>
  program
    .command(name)
    .description(about)
    .option('--only <text>', 'only the disturbances whose name contains this')
    .option('--times <n>', 'do each so often, instead of its own number', Number)
    .option('--rate <n>', 'events or records per second', Number, rate)
    .option('--out <file>', 'where the report goes', join(evidence, file))

soak('road', 'one worker with all five roles between all services', 200, 'soak.md').action(soakRoad)
soak('mirror', 'two workers that mirror in both directions', 400, 'mirror-soak.md').action(soakMirror)
soak('sinks', 'two workers with sinks into HDFS and S3', 400, 'sink-soak.md').action(soakSinks)
await program.parseAsync()
// Node's own cleanup counts requests of sockets that were reset, and may wait for them for ever, at full speed.
process.exit()

async function soakRoad({ rate, out, ...options }: Options): Promise<void> {
  const run = begin()
  const road = await SoakRoad.start(programUnderTest, rate)
  try {
    const done = await torture(road, roadDisturbances, { random: run.random, ...options })
    const { events, verdict, exit } = await road.finish()
    const found = { ...run.facts(), disturbances: done, events, verdict, exit, leaks: road.leaks() }
    conclude(out, roadEvidence.report(found), roadEvidence.isFlawless(found), verdict)
  } finally {
    await road.stop()
  }
}

async function soakMirror({ rate, out, ...options }: Options): Promise<void> {
  const run = begin()
  const pair = await MirrorPair.start(programUnderTest, rate, run.seed)
  try {
    const done = await torture(pair, mirrorDisturbances, { random: run.random, ...options })
    const { verdict, exits } = await pair.finish()
    const found = { ...run.facts(), disturbances: done, verdict, exits }
    conclude(out, mirrorEvidence.report(found), mirrorEvidence.isFlawless(found), verdict)
  } finally {
    await pair.stop()
  }
}

async function soakSinks({ rate, out, ...options }: Options): Promise<void> {
  const run = begin()
  const pair = await SinkPair.start(programUnderTest, rate, run.random)
  try {
    const done = await torture(pair, sinkDisturbances, { random: run.random, ...options })
    const { verdict, exits } = await pair.finish()
    const found = { ...run.facts(), disturbances: done, verdict, exits, broken: pair.broken }
    conclude(out, sinkEvidence.report(found), sinkEvidence.isFlawless(found), verdict)
  } finally {
    await pair.stop()
  }
}

function begin() {
  const seed = chooseSeed()
  const startedAt = new Date()
  const facts = () => ({
    command: `npm run test:soak -- ${process.argv.slice(2).join(' ')}`,
    program: programUnderTest.length === 1 ? 'the executable' : 'from its sources',
    ...{ seed, startedAt },
    minutes: (Date.now() - startedAt.getTime()) / 60_000
  })
  return { seed, random: seededRandom(seed), facts }
}

function conclude(out: string, report: string, isFlawless: boolean, verdict: object): void {
  mkdirSync(dirname(out), { recursive: true })
  writeFileSync(out, report)
  console.log(report)
  if (isFlawless) return
  console.error(JSON.stringify(verdict))
  process.exitCode = 1
}
