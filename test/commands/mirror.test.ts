import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { mm2Topics } from '../../src/actors/mirror/offsets/mm2-formats.ts'
import { causeway as run } from '../support/command-line.ts'
import { KafkaWorld } from '../support/kafka-world.ts'
import { copied, startMirror } from '../support/mirror-world.ts'
import { FakeMm2, fillSource } from '../support/mm2-world.ts'

let world: KafkaWorld
let mm2: FakeMm2
beforeEach(async () => {
  world = await KafkaWorld.start()
  mm2 = new FakeMm2(world)
  await world.createTopic('source', 'hybrid', 4)
})
afterEach(async () => {
  await mm2.leave()
  await world.stop()
})

const naming = { type: 'prefix', prefix: 'A.' } as const

/** `causeway mirror VERB …` with a config of so many shards. */
async function causeway(shards: number, ...args: readonly string[]) {
  const cluster = (side: 'source' | 'target') =>
    `[cluster.${side}]\nbrokers = ${JSON.stringify(world.brokers[side].brokers)}\n`
  const lines = [
    `name = "test"\ndata_dir = "data"\n${cluster('source')}${cluster('target')}[mirror.cloud]`,
    'from = "source"\nto = "target"\ntopics = ["hybrid"]\nnaming = { prefix = "A." }',
    `shards = ${shards}\nsession_timeout = "2s"\ntake_over = { mm2 = { source = "A" } }\n`
  ]
  writeFileSync(join(world.directory, 'causeway.toml'), lines.join('\n'))
  return run(world.directory, 'mirror', ...args, '--config', 'causeway.toml', '--mirror', 'cloud')
}

test('what commands do to a mirror is told in a line, and what they are refused for, too', async () => {
  expect(await causeway(4, 'handback')).toEqual({
    exitCode: 2,
    out: '',
    err: 'causeway: test.mirror.cloud.positions.internal does not exist: the mirror never ran'
  })
  expect(await causeway(4, 'takeover')).toMatchObject({
    exitCode: 2,
    err: expect.stringContaining('target has no topic mm2-offsets.A.internal')
  })
  await world.createTopic('target', 'A.hybrid', 4)
  await world.createTopic('target', mm2Topics.positions('A'), 5)
  await fillSource(world, 0, 20)
  await mm2.copy(0, [{ partition: 0, from: 0, until: 7 }])
  await mm2.join()
  expect(await causeway(4, 'takeover')).toMatchObject({
    exitCode: 1,
    err: expect.stringContaining('MirrorMaker 2 runs: its group A-mm2 on target has 1 members; stop it')
  })
  await mm2.leave()
  expect(await causeway(4, 'takeover')).toEqual({
    exitCode: 0,
    out: 'mirror cloud goes on where MirrorMaker 2 stopped: 1 partitions taken over',
    err: ''
  })
  expect(await causeway(4, 'takeover')).toEqual({
    exitCode: 0,
    out: 'mirror cloud has positions of its own: there is nothing to take over',
    err: ''
  })

  const mirror = startMirror(world, { topics: ['hybrid'], naming })
  await copied(world, mirror, 'hybrid')
  expect(await causeway(4, 'reshard', '--shards', '6')).toMatchObject({
    exitCode: 1,
    err: expect.stringContaining('group test.mirror.cloud on source has members (test); a worker')
  })
  await mirror.drain()
  expect(await causeway(4, 'reshard', '--shards', '6')).toEqual({
    exitCode: 0,
    out: 'mirror cloud has 6 shards now, its positions are in test.mirror.cloud.positions-1.internal; set shards = 6 in [mirror.cloud]',
    err: ''
  })
  expect((await causeway(4, 'reshard', '--shards', '6')).out).toBe('mirror cloud has 6 shards already')
  expect(await causeway(4, 'handback')).toMatchObject({
    exitCode: 2,
    err: 'causeway: test.mirror.cloud.positions-1.internal has 6 shards, the config asks for 4'
  })

  const undo = 'causeway mirror takeover --config causeway.toml --mirror cloud'
  expect(await causeway(6, 'handback')).toEqual({
    exitCode: 0,
    out: `mirror cloud is handed back: 4 positions are in mm2-offsets.A.internal; MirrorMaker 2 may be started. To undo that: ${undo}`,
    err: ''
  })
  expect((await causeway(6, 'handback')).out).toBe(
    `mirror cloud was handed back before; to undo that: ${undo}`
  )
  expect(await causeway(6, 'reshard', '--shards', '3')).toMatchObject({
    exitCode: 2,
    err: expect.stringContaining('was handed back to MirrorMaker 2, which knows the source as A')
  })
  expect((await causeway(6, 'takeover')).out).toContain('4 partitions taken over')
})

test('MirrorMaker 2 gets nothing that it would put elsewhere', async () => {
  expect(await causeway(4, 'handback', '--to-mm2', 'onprem')).toEqual({
    exitCode: 2,
    out: '',
    err: 'causeway: MirrorMaker 2 would go on in other topics: [mirror.cloud] needs naming = { prefix = "onprem." }'
  })
})
