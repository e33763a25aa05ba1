import { expect, test } from 'vitest'
import type { Cluster } from '../../../src/actors/kafka/cluster.ts'
import type { Link } from '../../../src/actors/kafka/link.ts'
import { fenceIds, listTransactionalIds } from '../../../src/actors/kafka/transactional-ids.ts'
import { EmbeddedWorld } from './embedded.ts'

test('ids are listed whatever they do; fenced, what they have open is gone and they write no more', async () => {
  const world = await EmbeddedWorld.start()
  const [idle, busy] = ['a-0', 'a-1'].map((transactionalId) => world.session({ transactionalId }))
  if (idle === undefined || busy === undefined) throw new Error('no sessions')
  await world.write(idle, 0, 'kept')
  await busy.fence(world.signal)
  await busy.add([world.at(1)], world.signal)
  await busy.produce([world.batch(1, 'lost')], world.signal)
  expect((await listTransactionalIds(world.cluster, world.signal))?.sort()).toEqual(['a-0', 'a-1'])

  const many = Array.from({ length: 20 }, (_, n) => `a-${n}`)
  await fenceIds(world.cluster, many, 60_000, world.signal)
  await expect(busy.commit(world.signal)).rejects.toMatchObject({ code: 'kafka-invalid-producer-epoch' })
  expect(await world.read(0)).toEqual(['kept'])
  expect(await world.read(1)).toEqual([])
  expect(await listTransactionalIds(world.cluster, world.signal)).toHaveLength(20)
})

test('where a broker cannot list them, nobody knows whether there are more', async () => {
  const world = await EmbeddedWorld.start()
  await world.session({ transactionalId: 'a-0' }).fence(world.signal)
  // As brokers before 3.0 offer it.
  const cluster: Pick<Cluster, 'metadata' | 'askNode'> = {
    metadata: (signal, topics) => world.cluster.metadata(signal, topics),
    askNode: (_, question) => question({ version: () => undefined } as unknown as Link)
  }
  expect(await listTransactionalIds(cluster as Cluster, world.signal)).toBeUndefined()
})
