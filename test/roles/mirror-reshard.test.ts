import { afterEach, beforeEach, expect, test } from 'vitest'
import { retrying } from '../../src/actors/kafka/waiting.ts'
import { currentTopic } from '../../src/actors/mirror/current-topic.ts'
import { claimOf } from '../../src/actors/mirror/position-records.ts'
import { reshard } from '../../src/actors/mirror/reshard.ts'
import type { MirrorConfig } from '../../src/config.ts'
import { toFault } from '../../src/errors.ts'
import { KafkaWorld } from '../support/kafka-world.ts'
import { copied, expectEqual, mirrorConfig, produceSome, startMirror } from '../support/mirror-world.ts'
import { atEachStep } from '../support/steps.ts'

let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('source', 'other', 4)
})
afterEach(() => world.stop())

const prefix = 'test.mirror.cloud'
const timely = () => AbortSignal.timeout(20_000)

async function resharding(to: number, signal = timely(), more: Partial<MirrorConfig> = {}) {
  const { source, target } = world.clusters
  // The links of what was killed before may still be about to break.
  const found = await retrying(async () => {
    const [from, there] = await Promise.all([source.metadata(timely(), []), target.metadata(timely(), [])])
    const current = await currentTopic(target, prefix, timely())
    return { current, ids: { source: from.clusterId, target: there.clusterId } }
  }, timely())
  // What a killed one leaves open holds up whoever restores, until the target ends it.
  const config = { ...mirrorConfig, transactionTimeoutMs: 1_000, ...more }
  const claim = claimOf({ ...config, shards: to }, found.ids)
  const place = { source, target, prefix, current: found.current, claim, isTakingOver: false }
  return reshard({ ...config, ...place, to, now: Date.now }, signal)
}

/** Copies all that there is, and some more, with so many shards. */
async function copyOn(shards: number, more: Partial<MirrorConfig> = {}): Promise<void> {
  const mirror = startMirror(world, { shards, ...more })
  await produceSome(world, 'hybrid', 12)
  await produceSome(world, 'other', 4)
  await copied(world, mirror, 'hybrid', 'other')
  await mirror.drain()
  expect(mirror.failure()).toBeUndefined()
}

/** The last values by key in the first partition. */
async function firstOf(topic: string): Promise<Record<string, string | undefined>> {
  const [records = []] = await world.read('target', `${prefix}.${topic}.internal`)
  return Object.fromEntries(records.map((record) => record.split(' ')))
}

async function refusalOf(shards: number): Promise<{ code: string; message: string }> {
  const mirror = startMirror(world, { shards })
  await mirror.until(() => mirror.failure() !== undefined)
  const { code, message } = toFault(mirror.failure())
  return { code, message }
}

test.each(['exactly-once', 'at-least-once'] as const)(
  'a mirror goes on with other numbers of shards again and again, %s',
  async (delivery) => {
    await copyOn(4, { delivery })
    expect(await resharding(6, timely(), { delivery })).toBe(`${prefix}.positions-1.internal`)
    // What tells other mirrors what this one copies goes along.
    const [left, taken] = [await firstOf('positions'), await firstOf('positions-1')]
    expect([left.scope, taken.scope]).toEqual([
      'null',
      expect.stringContaining('"mirror":"test.mirror.cloud"')
    ])
    expect(await refusalOf(4)).toEqual({
      code: 'claim-mismatch',
      message: `${prefix}.positions-1.internal has 6 shards, the config asks for 4`
    })
    await copyOn(6, { delivery })
    expect(await resharding(6, timely(), { delivery })).toBeUndefined()
    expect(await resharding(4, timely(), { delivery })).toBe(`${prefix}.positions-2.internal`)
    await copyOn(4, { delivery })
    await expectEqual(world, 'hybrid', 'other')
  }
)

test('it is refused while the mirror runs, and where none ever ran', async () => {
  await expect(resharding(6)).rejects.toMatchObject({ code: 'mirror-not-started' })
  const mirror = startMirror(world)
  await mirror.until(({ ready }) => ready)
  await expect(resharding(6)).rejects.toMatchObject({ code: 'group-in-use' })
  await mirror.drain()
})

test.each([
  ['leaders do not know their new partitions yet', /^Append .*positions-1/, { type: 'answer', code: 6 }],
  ['the answer to the commit is lost', /^EndTxn/, { type: 'lose-reply' }],
  ['the commit never arrives', /^EndTxn/, { type: 'fail-before' }]
] as const)('it ends although %s', async (_, subject, action) => {
  await copyOn(4)
  const met = world.brokers.target.faults.add({ subject, action, times: 2 })
  expect(await resharding(6)).toBe(`${prefix}.positions-1.internal`)
  expect(met.hits).toBe(2)
  await copyOn(6)
  await expectEqual(world, 'hybrid', 'other')
})

test('one that is killed at any step leaves either topic whole, and the next one ends it', async () => {
  await copyOn(4)
  let shards = 4
  const kills = await atEachStep(
    world.brokers.target.faults,
    (signal) => resharding(10 - shards, signal),
    async () => {
      // Whoever starts now finds all positions, in the one or in the other.
      const { partitions } = await retrying(
        () => currentTopic(world.clusters.target, prefix, timely()),
        timely()
      )
      await copyOn(partitions)
      await resharding(10 - shards)
      shards = 10 - shards
      await copyOn(shards)
    }
  )
  expect(kills).toBeGreaterThan(6)
  await expectEqual(world, 'hybrid', 'other')
})

test('without transactions one that is killed is ended by the next one', async () => {
  const delivery = 'at-least-once'
  await copyOn(4, { delivery })
  let shards = 4
  const kills = await atEachStep(
    world.brokers.target.faults,
    (signal) => resharding(10 - shards, signal, { delivery }),
    async () => {
      await resharding(10 - shards, timely(), { delivery })
      shards = 10 - shards
      await copyOn(shards, { delivery })
    }
  )
  expect(kills).toBeGreaterThan(3)
  await expectEqual(world, 'hybrid', 'other')
})
