import { describe, expect, test } from 'vitest'
import { demoSeed } from '../../src/demo/services.ts'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import { seededRandom } from '../support/random.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython } from '../tools/python.ts'
import { checkRoad, expectFlawless } from './check-road.ts'
import { temporaryDataDir } from './demo-process.ts'
import { killRepeatedly, startDemo } from './kills.ts'

const defer = cleanups()

describe.skipIf(!hasPython)('kill -9', () => {
  test('after 20 kills at random moments every store holds each event once and in order', {
    timeout: 280_000
  }, async () => {
    const random = seededRandom()
    const directory = temporaryDataDir()
    defer(() => directory.remove())
    const plan = { dataDir: directory.path, inFlight: 16, recovering: 4, random }
    const { events, ...kills } = await killRepeatedly(plan)
    expect(kills).toEqual({ inFlight: 16, recovering: 4 })

    const demo = startDemo(plan, events)
    defer(() => demo.end())
    expect(await demo.report()).toMatchObject({
      ingested: events,
      sourceRecords: events,
      duplicates: 0,
      missing: 0,
      outOfOrder: 0
    })
    const payloads = Array.from({ length: events }, (_, index) => tweetAt(demoSeed, index).json)
    expectFlawless(await checkRoad(directory.path, payloads), events)
    expect(await demo.stop(), demo.said()).toBe(0)
  })
})
