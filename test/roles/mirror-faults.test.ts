import { setImmediate as tick } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AnyActorRef, SnapshotFrom } from 'xstate'
import type { shardMachine } from '../../src/machines/shard.ts'
import { KafkaWorld, type RunningRole } from '../support/kafka-world.ts'
import {
  copied,
  expectEqual,
  produceSome,
  produceTransactions,
  startMirror
} from '../support/mirror-world.ts'
import { seededRandom } from '../support/random.ts'

let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
})
afterEach(() => world.stop())

const start = (...rest: StartRest): RunningRole => startMirror(world, ...rest)
type StartRest = Parameters<typeof startMirror> extends [unknown, ...infer Rest] ? Rest : never

test.each([
  ['the answer to EndTxn is lost', 'target', /^EndTxn/, { type: 'lose-reply' }],
  ['EndTxn never arrives', 'target', /^EndTxn/, { type: 'fail-before' }],
  ['the coordinator fences', 'target', /^EndTxn/, { type: 'answer', code: 47 }],
  ['the answer to a Produce is lost', 'target', /^Produce hybrid/, { type: 'lose-reply' }],
  ['a Produce never arrives', 'target', /^Produce hybrid/, { type: 'fail-before' }],
  [
    'the answer to the produce of positions is lost',
    'target',
    /^Produce .*positions/,
    { type: 'lose-reply' }
  ],
  ['the answer to AddPartitionsToTxn is lost', 'target', /^AddPartitionsToTxn/, { type: 'lose-reply' }],
  ['a partition has not enough replicas', 'target', /^Append hybrid-1/, { type: 'answer', code: 19 }],
  ['the answer to InitProducerId is lost', 'target', /^(EndTxn|InitProducerId)/, { type: 'lose-reply' }],
  ['a restore is cut', 'target', /^(EndTxn|Fetch)/, { type: 'lose-reply' }],
  ['the heartbeat asks to rejoin', 'source', /^Heartbeat/, { type: 'answer', code: 27 }],
  ['the member is unknown', 'source', /^Heartbeat/, { type: 'answer', code: 25 }],
  ['a fetch is cut', 'source', /^Fetch hybrid/, { type: 'lose-reply' }]
] as const)('nothing is lost or repeated when %s', async (_, side, subject, action) => {
  await world.createTopic('source', 'hybrid', 4)
  const mirror = start()
  await mirror.until((view) => view.ready)
  const fences = mirror.view().counters.fences ?? 0
  for (let round = 0; round < 2; round++) {
    world.brokers[side].faults.add({ subject, action, after: round, times: 2 })
    await produceSome(world, 'hybrid', 40)
    await copied(world, mirror, 'hybrid')
  }
  await expectEqual(world, 'hybrid')
  expect(mirror.failure()).toBeUndefined()
  if (side === 'target') expect(mirror.view().counters.fences).toBeGreaterThan(fences)
})

test('who has no acknowledged heartbeat takes no transactional id', async () => {
  await world.createTopic('source', 'hybrid', 4)
  const [source, target] = [world.brokers.source.faults, world.brokers.target.faults]
  const times = Number.POSITIVE_INFINITY
  const beats = source.add({ subject: /^Heartbeat/, action: { type: 'hang' }, times })
  const taken = target.add({ subject: /^InitProducerId/, action: { type: 'delay', ms: 0 }, times })
  const mirror = start()
  // The first one was given up by then, and with it the seat that it stood for.
  await mirror.until(() => beats.hits >= 2)
  expect(taken.hits).toBe(0)
  source.clear()
  await mirror.until(({ ready }) => ready)
  expect(taken.hits).toBeGreaterThan(0)
})

/** Where a shard is killed: in recovery, and at every step of a transaction. */
const moments = [
  { fencing: 'asking' },
  { restoring: 'reading' },
  { copying: { pipeline: 'adding' } },
  { copying: { pipeline: 'producing' } },
  { copying: { pipeline: 'open' } },
  { copying: { pipeline: 'committing' } }
] as const

test('a mirror that is killed at every step and started again loses and repeats nothing', async () => {
  const random = seededRandom()
  await world.createTopic('source', 'hybrid', 4)
  let isWriting = true
  const writing = (async () => {
    while (isWriting) await produceTransactions(world, 'hybrid', 2, 20)
  })()
  for (let round = 0; round < 3; round++) {
    for (const moment of moments) {
      const mirror = start()
      const isThere = () => shardsOf(mirror).some((shard) => shard.matches({ live: moment }))
      await untilTick(() => isThere(), JSON.stringify(moment))
      for (let ticks = Math.floor(random() * 4); ticks > 0; ticks--) await tick()
      mirror.kill()
    }
  }
  isWriting = false
  await writing
  const last = start()
  await copied(world, last, 'hybrid')
  await expectEqual(world, 'hybrid')
})

function shardsOf(mirror: RunningRole): SnapshotFrom<typeof shardMachine>[] {
  const { children } = mirror.actor.getSnapshot() as {
    readonly children: Readonly<Record<string, AnyActorRef>>
  }
  return Object.entries(children)
    .filter(([id]) => id.startsWith('shard-'))
    .map(([, child]) => child.getSnapshot())
}

/** Looks at every turn of the event loop: steps of a transaction are short. */
async function untilTick(fits: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!fits()) {
    if (performance.now() > deadline) throw new Error(`no shard came to ${what}`)
    await tick()
  }
}

const someAre = (state: string) => (view: ReturnType<RunningRole['view']>) =>
  view.partitions.some((partition) => partition.state === state)

test('while markers of the former transaction are not written, its shard says so and waits', async () => {
  await world.createTopic('source', 'hybrid', 4)
  const mirror = start()
  await mirror.until(({ ready }) => ready)
  const { faults } = world.brokers.target
  faults.add({ subject: /^EndTxn/, action: { type: 'lose-reply' } })
  faults.add({ subject: /^WriteTxnMarkers test\.mirror/, action: { type: 'delay', ms: 500 } })
  await produceSome(world, 'hybrid', 8)
  await mirror.until(someAre('markers-pending'))
  await copied(world, mirror, 'hybrid')
  await expectEqual(world, 'hybrid')
})

test("while another writer's transaction hides positions, the restore says so and waits for it", async () => {
  await world.createTopic('source', 'hybrid', 4)
  const first = start({ shards: 1 })
  await produceSome(world, 'hybrid', 8)
  await copied(world, first, 'hybrid')
  const foreign = world.kafka('target').producer({ transactionalId: 'foreign', maxInFlightRequests: 1 })
  await foreign.connect()
  const open = await foreign.transaction()
  await open.send({
    topic: 'test.mirror.cloud.positions.internal',
    messages: [{ key: 'x-0', value: '{"next":1}' }]
  })
  await produceSome(world, 'hybrid', 8)
  await copied(world, first, 'hybrid')
  first.kill()
  const second = start({ shards: 1 })
  await second.until(someAre('hanging-transaction'))
  expect(second.view().reasons).toEqual([
    expect.stringMatching(
      /^hybrid-\d and 3 more are hanging-transaction: .*positions\.internal-0 cannot be read from offset \d+ on: producer \d+ .* abort --topic test\.mirror\.cloud\.positions\.internal --partition 0 --start-offset \d+$/
    )
  ])
  await open.abort()
  await foreign.disconnect()
  await copied(world, second, 'hybrid')
  await expectEqual(world, 'hybrid')
  expect(second.view().counters.recordsRead, 'nothing is read again').toBe(0)
})
