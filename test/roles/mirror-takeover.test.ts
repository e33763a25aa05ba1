import { afterEach, beforeEach, expect, test } from 'vitest'
import { retrying } from '../../src/actors/kafka/waiting.ts'
import { currentTopic } from '../../src/actors/mirror/current-topic.ts'
import { handBack } from '../../src/actors/mirror/handback.ts'
import { mm2Topics } from '../../src/actors/mirror/offsets/mm2-formats.ts'
import { claimOf } from '../../src/actors/mirror/position-records.ts'
import { ensurePositionsTopic } from '../../src/actors/mirror/prepare.ts'
import { takeOver } from '../../src/actors/mirror/takeover.ts'
import type { MirrorConfig } from '../../src/config.ts'
import { toFault } from '../../src/errors.ts'
import { KafkaWorld, type RunningRole } from '../support/kafka-world.ts'
import { copied, mirrorConfig, startMirror } from '../support/mirror-world.ts'
import { copyOf, FakeMm2, fillSource } from '../support/mm2-world.ts'
import { atEachStep } from '../support/steps.ts'

let world: KafkaWorld
let mm2: FakeMm2
beforeEach(async () => {
  world = await KafkaWorld.start()
  mm2 = new FakeMm2(world)
  await world.createTopic('source', 'hybrid', 4)
  await world.createTopic('target', 'A.hybrid', 4)
})
afterEach(async () => {
  await mm2.leave()
  await world.stop()
})

const plain: Partial<MirrorConfig> = { topics: ['hybrid'], naming: { type: 'prefix', prefix: 'A.' } }
const taking: Partial<MirrorConfig> = {
  ...plain,
  takeOver: { mm2: { source: 'A', policy: 'default', tasks: 3 } }
}
// What a killed command leaves open holds up whoever restores, until the target ends it.
const config = { ...mirrorConfig, ...taking, transactionTimeoutMs: 1_000 }
const start = (config = taking): RunningRole => startMirror(world, config)
const mm2Positions = () => world.createTopic('target', mm2Topics.positions('A'), 5)
const says = (role: RunningRole, code: string) =>
  role.until(({ notes }) => notes.some((note) => note.includes(`(${code})`)))

/** The links of what was killed before may still be about to break. */
const options = () => retrying(findPlace, AbortSignal.timeout(20_000))

async function findPlace() {
  const { source, target } = world.clusters
  const signal = AbortSignal.timeout(20_000)
  const [from, to] = await Promise.all([source.metadata(signal, []), target.metadata(signal, [])])
  const prefix = 'test.mirror.cloud'
  const { topic: positionsTopic } = await currentTopic(target, prefix, signal)
  const claim = claimOf(config, { source: from.clusterId, target: to.clusterId })
  const place = { source, target, prefix, positionsTopic, claim, log: world.log, now: Date.now }
  return { ...config, ...place, mm2: { source: 'A', policy: 'default', tasks: 3 } as const }
}

const handingBack = async (signal = AbortSignal.timeout(20_000)) => handBack(await options(), signal)
const takingOver = async (signal = AbortSignal.timeout(20_000)) => {
  const all = await options()
  await ensurePositionsTopic(all.target, all.positionsTopic, all, signal)
  return takeOver({ ...all, again: true }, signal)
}

async function expectSame(): Promise<void> {
  const { source, target } = await copyOf(world)
  expect(target).toEqual(source)
}

test('a mirror waits for MirrorMaker 2 to stop, and goes on in the middle of the batch where it stopped', async () => {
  await mm2Positions()
  await fillSource(world, 0, 20)
  await mm2.join()
  await mm2.copy(0, [
    { partition: 0, from: 0, until: 5 },
    { partition: 1, from: 0, until: 20 }
  ])
  await mm2.copy(1, [{ partition: 2, from: 0, until: 1 }])
  await mm2.copy(0, [{ partition: 0, from: 5, until: 7 }])
  const mirror = start()
  await says(mirror, 'mm2-running')
  expect(mirror.view().ready).toBe(false)
  // It is killed with more in an open transaction, which must neither count nor be committed.
  await mm2.copy(1, [{ partition: 2, from: 1, until: 20 }], true)
  await mm2.leave()
  await copied(world, mirror, 'hybrid')
  await expectSame()
  await fillSource(world, 20, 40)
  await copied(world, mirror, 'hybrid')
  await expectSame()
  expect(mirror.failure()).toBeUndefined()
})

test('positions are taken over once: what MirrorMaker 2 leaves there later is not read', async () => {
  await mm2Positions()
  await fillSource(world, 0, 20)
  await mm2.copy(0, [{ partition: 0, from: 0, until: 7 }])
  const first = start()
  await copied(world, first, 'hybrid')
  await first.drain()
  await fillSource(world, 20, 30)
  await mm2.copy(0, [{ partition: 0, from: 20, until: 21 }])
  const second = start()
  await copied(world, second, 'hybrid')
  const { source, target } = await copyOf(world)
  expect(target.slice(1)).toEqual(source.slice(1))
  // Both have copied it: nobody runs them both.
  expect(target[0]?.filter((record) => record.startsWith('20 '))).toHaveLength(2)
})

test('a source that MirrorMaker 2 never copied from, and copies under other names, are refused', async () => {
  await fillSource(world, 0, 20)
  const unknown = start()
  await unknown.until(() => unknown.failure() !== undefined)
  expect(toFault(unknown.failure())).toMatchObject({ code: 'mm2-not-found', retryable: false })
  await mm2Positions()
  await mm2.copy(0, [{ partition: 0, from: 0, until: 7 }])
  const elsewhere = start({ ...taking, naming: { type: 'prefix', prefix: 'A-' } })
  await elsewhere.until(() => elsewhere.failure() !== undefined)
  expect(toFault(elsewhere.failure())).toMatchObject({ code: 'mm2-naming' })
  expect(toFault(elsewhere.failure()).message).toContain('no topic A-hybrid')
})

test('handed back, MirrorMaker 2 finds our positions, our workers refuse, and takeover undoes it', async () => {
  await fillSource(world, 0, 20)
  const first = start(plain)
  await copied(world, first, 'hybrid')
  await expect(handingBack()).rejects.toMatchObject({ code: 'group-in-use' })
  await first.drain()
  await mm2.join()
  await expect(handingBack()).rejects.toMatchObject({ code: 'mm2-running' })
  await mm2.leave()
  expect(await handingBack()).toEqual({ topic: mm2Topics.positions('A'), partitions: 4 })
  const written = (await world.read('target', mm2Topics.positions('A'))).flat()
  expect(written.map((record) => record.replace(/ \d+$/, '')).sort()).toEqual(
    [0, 1, 2, 3].map(
      (partition) =>
        `["MirrorSourceConnector",{"cluster":"A","partition":${partition},"topic":"hybrid"}] {"offset":19}`
    )
  )
  const refused = start()
  await refused.until(() => refused.failure() !== undefined)
  expect(toFault(refused.failure())).toMatchObject({ code: 'mirror-handed-back' })

  await fillSource(world, 20, 40)
  await mm2.copy(0, [{ partition: 3, from: 20, until: 33 }])
  // Its word is the last one now: what it has copied since is not taken back.
  expect(await handingBack()).toBeUndefined()
  expect(await takingOver()).toBe(4)
  expect(await takingOver()).toBeUndefined()
  const last = start()
  await copied(world, last, 'hybrid')
  await expectSame()
})

test('with topics that are not copied here MirrorMaker 2 goes on, and a handback does not set it back', async () => {
  await mm2Positions()
  await fillSource(world, 0, 20)
  await mm2.copy(0, [{ partition: 0, from: 0, until: 7 }])
  await mm2.note('else', 100)
  const mirror = start()
  await copied(world, mirror, 'hybrid')
  await mirror.drain()
  await mm2.note('else', 500)
  await mm2.note('hybrid', 3)
  expect(await handingBack()).toMatchObject({ partitions: 4 })
  const positions = (await world.read('target', mm2Topics.positions('A'))).flat()
  expect(
    positions.filter((record) => record.includes('"else"')).map((record) => record.split(' ')[1])
  ).toEqual(['{"offset":100}', '{"offset":500}'])
  expect(await takingOver()).toBe(5)
  const last = start()
  await copied(world, last, 'hybrid')
  await expectSame()
})

test('a command that has lost its lock writes nothing', async () => {
  await fillSource(world, 0, 20)
  const mirror = start(plain)
  await copied(world, mirror, 'hybrid')
  await mirror.drain()
  const answer = { type: 'answer', code: 25 } as const
  world.brokers.source.faults.add({
    subject: /^Heartbeat/,
    action: answer,
    times: Number.POSITIVE_INFINITY
  })
  await expect(handingBack()).rejects.toThrow('unknown member id')
  world.brokers.source.faults.clear()
  expect((await world.read('target', mm2Topics.positions('A'))).flat()).toEqual([])
  const next = start(plain)
  await fillSource(world, 20, 24)
  await copied(world, next, 'hybrid')
})

test('when MirrorMaker 2 is started while its positions are read, they count for nothing', async () => {
  await mm2Positions()
  await fillSource(world, 0, 20)
  await mm2.copy(0, [{ partition: 0, from: 0, until: 7 }])
  const { faults } = world.brokers.target
  // They cannot be read before it is there.
  const reading = faults.add({
    subject: /^Fetch .*mm2-offsets/,
    action: { type: 'fail-before' },
    times: Number.POSITIVE_INFINITY
  })
  const taking = takingOver().catch((error: unknown) => toFault(error).code)
  await expect.poll(() => reading.hits, { timeout: 20_000 }).toBeGreaterThan(0)
  await mm2.join()
  faults.clear()
  expect(await taking).toBe('mm2-running')
  await mm2.copy(0, [{ partition: 0, from: 7, until: 11 }])
  await mm2.leave()
  expect(await takingOver()).toBe(1)
  const mirror = start()
  await copied(world, mirror, 'hybrid')
  await expectSame()
})

test('a takeover and a handback that are killed at any step are whole after the next one', async () => {
  await mm2Positions()
  await fillSource(world, 0, 20)
  await mm2.copy(0, [{ partition: 0, from: 0, until: 7 }])
  const { faults } = world.brokers.target
  let count = 20
  const copyMore = async () => {
    const mirror = start()
    await fillSource(world, count, count + 4)
    await copied(world, mirror, 'hybrid')
    await mirror.drain()
    count += 4
  }
  const there = await atEachStep(faults, takingOver, async () => {
    await takingOver()
    await copyMore()
    await handingBack()
  })
  await takingOver()
  const back = await atEachStep(faults, handingBack, async () => {
    await handingBack()
    await takingOver()
    await copyMore()
  })
  expect(Math.min(there, back)).toBeGreaterThan(4)
  await expectSame()
})
