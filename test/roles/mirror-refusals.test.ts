import { afterEach, beforeEach, expect, test } from 'vitest'
import { toFault } from '../../src/errors.ts'
import { KafkaWorld, until } from '../support/kafka-world.ts'
import { copied, expectEqual, produceSome, startMirror } from '../support/mirror-world.ts'

let world: KafkaWorld
beforeEach(async () => {
  world = await KafkaWorld.start()
})
afterEach(() => world.stop())

const topic = /^topic test\.mirror\.cloud\.positions\.internal on target: topic authorization failed \(29\)/
const id = /^transactional id test\.mirror\.cloud-\d on target: /

/** What no waiting mends ends the role with a fault that names what was refused, and on which cluster. */
test.each<[what: string, side: 'source' | 'target', subject: RegExp, code: number, said: RegExp]>([
  ['the group', 'source', /^JoinGroup/, 30, /source: joining group test\.mirror\.cloud: group authorization/],
  [
    'its coordinator',
    'source',
    /^FindCoordinator/,
    30,
    /source: coordinator of group test\.mirror\.cloud: group authorization/
  ],
  ['the position topic', 'target', /^CreateTopics .*positions/, 29, topic],
  ['transactional ids', 'target', /^InitProducerId/, 53, new RegExp(`${id.source}.*authorization failed`)],
  ['transactions so long', 'target', /^InitProducerId/, 50, new RegExp(`${id.source}invalid .* timeout`)],
  [
    'the coordinator of transactions',
    'target',
    /^FindCoordinator/,
    53,
    /target: coordinator of transaction test\.mirror\.cloud-\d: .*authorization failed/
  ],
  [
    'the offsets of positions',
    'target',
    /^ListOffsetsPartition|^ListOffsets .*positions/,
    29,
    /^offsets of .*positions\.internal-\d on target: topic authorization failed/
  ]
])(
  'who may not use %s is told, loses nothing, and goes on when he may',
  async (_, side, subject, code, said) => {
    await world.createTopic('source', 'hybrid', 4)
    await produceSome(world, 'hybrid', 20)
    const { faults } = world.brokers[side]
    faults.add({ subject, action: { type: 'answer', code }, times: Number.POSITIVE_INFINITY })
    const refused = startMirror(world)
    await until(
      () => refused.failure() !== undefined,
      () => JSON.stringify(refused.view())
    )
    expect(toFault(refused.failure()).message).toMatch(said)
    faults.clear()
    const allowed = startMirror(world)
    await copied(world, allowed, 'hybrid')
    await expectEqual(world, 'hybrid')
  }
)
