import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { demoSeed } from '../../src/demo/services.ts'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython } from '../tools/python.ts'
import { checkRoad, expectFlawless } from './check-road.ts'
import { DemoProcess, temporaryDataDir } from './demo-process.ts'
import { hasMoved, stateOf } from './kills.ts'

const defer = cleanups()

/** Each store says it in its own words; which of them is asked to write first is chance. */
const isLogged = (log: string) => /storage error \(56\)|StorageFull|safe mode/.test(log)

describe.skipIf(!hasPython)('a full disk', () => {
  test('is told in words, loses nothing, and is got over when there is space again', {
    timeout: 120_000
  }, async () => {
    const events = 3_000
    const directory = temporaryDataDir()
    defer(() => directory.remove())
    const flag = join(directory.path, 'full')
    const demo = new DemoProcess(directory.path, ['--events', String(events), '--rate', '500', '--json'], {
      nodeArgs: ['--import', join(import.meta.dirname, 'disk-full.ts')],
      env: { CAUSEWAY_DISK_FULL: flag }
    })
    defer(() => demo.end())
    await demo.until('records in flight', async () => ((await hasMoved(demo)) ? true : undefined))
    writeFileSync(flag, '')
    await demo.until('word of the full disk', async () => {
      const unready = (await stateOf(demo))?.unready.join('\n') ?? ''
      return isLogged(demo.stderr) && unready.includes('ingest.tweets') ? true : undefined
    })
    rmSync(flag)
    expect(await demo.report()).toMatchObject({ ingested: events, duplicates: 0, missing: 0, outOfOrder: 0 })
    const payloads = Array.from({ length: events }, (_, index) => tweetAt(demoSeed, index).json)
    expectFlawless(await checkRoad(directory.path, payloads), events)
    expect(await demo.stop(), demo.said()).toBe(0)
  })
})
