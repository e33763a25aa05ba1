import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { demoSeed } from '../../src/demo/services.ts'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython } from '../tools/python.ts'
import { checkRoad, expectFlawless } from './check-road.ts'
import { DemoProcess, temporaryDataDir } from './demo-process.ts'
import { worstInput } from './worst-lines.ts'

const defer = cleanups()

function startDemo(args: readonly string[], prepare?: (dataDir: string) => readonly string[]): DemoProcess {
  const directory = temporaryDataDir()
  defer(() => directory.remove())
  const demo = new DemoProcess(directory.path, [...args, ...(prepare?.(directory.path) ?? [])])
  defer(() => demo.end())
  return demo
}

const flawless = { duplicates: 0, missing: 0, outOfOrder: 0 }

test('the demo carries 20,000 events to every store, says so as JSON, and ends with 0', {
  timeout: 150_000
}, async () => {
  const demo = startDemo(['--events', '20000', '--exit-when-done', '--json'])
  const { code } = await demo.exited
  expect(code, demo.said()).toBe(0)
  const lastLine = demo.stdout.trimEnd().split('\n').at(-1) ?? ''
  const { elapsedMs, ...counts } = JSON.parse(lastLine) as Record<string, number>
  expect(counts).toEqual({
    ingested: 20_000,
    sourceRecords: 20_000,
    mirrored: 20_000,
    hdfsRecords: 20_000,
    s3Records: 20_000,
    warehouseRows: 20_000,
    deadLettered: 0,
    ...flawless
  })
  expect(elapsedMs).toBeGreaterThan(0)
})

describe.skipIf(!hasPython)('read by librdkafka, pyarrow and psycopg', () => {
  test('every store of a demo that stays up holds each event once, unchanged and in order', {
    timeout: 150_000
  }, async () => {
    const events = 5_000
    const demo = startDemo(['--events', String(events), '--json'])
    expect(await demo.report()).toMatchObject({ ingested: events, sourceRecords: events, ...flawless })
    const payloads = Array.from({ length: events }, (_, index) => tweetAt(demoSeed, index).json)
    expectFlawless(await checkRoad(demo.dataDir, payloads), events)
    expect(await demo.stop(), demo.said()).toBe(0)
  })

  test('an input file of the worst lines: events arrive unchanged, the rest are dead letters with reason and position', {
    timeout: 150_000
  }, async () => {
    const input = worstInput()
    const demo = startDemo(['--json'], (dataDir) => {
      const file = join(dataDir, 'input.ndjson')
      writeFileSync(file, input.text)
      return ['--input', file]
    })
    const report = await demo.report()
    expect(report).toMatchObject({
      ingested: input.payloads.length + input.malformedLines.length,
      sourceRecords: input.payloads.length,
      deadLettered: input.malformedLines.length,
      ...flawless
    })
    const verdict = await checkRoad(demo.dataDir, input.payloads)
    expectFlawless(verdict, input.payloads.length)
    const lines = verdict.deadLetters.map(({ headers }) => Number(headers.line)).sort((a, b) => a - b)
    expect(lines).toEqual(input.malformedLines)
    for (const { headers, value } of verdict.deadLetters) {
      expect(headers.reason).toMatch(/\w/)
      expect(input.text).toContain(value)
    }
    expect(await demo.stop(), demo.said()).toBe(0)
  })
})
