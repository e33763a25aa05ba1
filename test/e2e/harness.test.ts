import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { demoSeed } from '../../src/demo/services.ts'
import { tweetAt } from '../../src/embedded/event-stream/generator.ts'
import { seededRandom } from '../support/random.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasPython } from '../tools/python.ts'
import { checkRoad, expectFlawless } from './check-road.ts'
import { temporaryDataDir } from './demo-process.ts'
import { killRepeatedly, settled, startDemo } from './kills.ts'
import { mutations } from './mutations.ts'

const defer = cleanups()

describe.skipIf(!hasPython)('kill -9 of a broken Causeway', () => {
  test.each(Object.keys(mutations))('the harness finds the defect %s', { timeout: 150_000 }, async (name) => {
    const random = seededRandom()
    const directory = temporaryDataDir()
    defer(() => directory.remove())
    const nodeArgs = ['--import', join(import.meta.dirname, 'mutate.ts')]
    const broken = { dataDir: directory.path, nodeArgs, env: { CAUSEWAY_MUTATION: name } }
    const { events } = await killRepeatedly({ ...broken, inFlight: 5, recovering: 0, random })

    const demo = startDemo({ dataDir: directory.path }, events)
    defer(() => demo.end())
    await settled(demo)
    const payloads = Array.from({ length: events }, (_, index) => tweetAt(demoSeed, index).json)
    const verdict = await checkRoad(directory.path, payloads)
    expect(() => expectFlawless(verdict, events)).toThrow()
    const { hdfs, s3, warehouse } = verdict
    const harm = {
      'publish-before-commit': hdfs.repeated + s3.repeated,
      'position-before-data': warehouse.missing
    }
    expect(harm[name as keyof typeof harm]).toBeGreaterThan(0)
  })
})
