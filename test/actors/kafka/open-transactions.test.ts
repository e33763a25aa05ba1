import { expect, test } from 'vitest'
import type { Link } from '../../../src/actors/kafka/link.ts'
import { tellHolder } from '../../../src/actors/kafka/open-transactions.ts'
import { EmbeddedWorld } from './embedded.ts'

/** A partition with a committed record, and an open transaction behind it and its marker. */
async function opened() {
  const world = await EmbeddedWorld.start()
  await world.write(world.session(), 0, 'a')
  const other = world.session({ transactionalId: 'other' })
  const { producerId, epoch } = await other.fence(world.signal)
  await other.add([world.at(0)], world.signal)
  await other.produce([world.batch(0, 'b')], world.signal)
  const held = { ...world.at(0), offset: 2 }
  const abort = `kafka-transactions.sh --bootstrap-server ${world.cluster.bootstrap} abort --topic t --partition 0`
  const who = `producer ${producerId} (epoch ${epoch}, last record of 2023-11-14T22:13:20.000Z)`
  return { world, other, held, abort, who }
}

test('an open transaction is told by its producer and the command that ends it', async () => {
  const { world, held, abort, who } = await opened()
  expect(world.cluster.bootstrap).toMatch(/^127\.0\.0\.1:\d+$/)
  expect(await tellHolder(world.cluster, held, world.signal)).toBe(
    `${who} has a transaction open there; if nobody ends it: ${abort} --start-offset 2`
  )
})

test('where the broker may not tell producers, the batch at the offset does', async () => {
  const { world, held, abort, who } = await opened()
  world.broker.faults.add({ subject: /^DescribeProducers/, action: { type: 'answer', code: 29 } })
  expect(await tellHolder(world.cluster, held, world.signal)).toBe(
    `${who} has a transaction open there; if nobody ends it: ${abort} --start-offset 2`
  )
})

test('before Kafka 2.8 the tool has to be told who it is', async () => {
  const { world, held, abort, who } = await opened()
  const { bootstrap } = world.cluster
  const old = {
    bootstrap,
    leader: (topic: string, partition: number) => world.cluster.leader(topic, partition),
    askNode: <T>(node: number, question: (link: Link) => Promise<T>, signal: AbortSignal) => {
      const asOld = (link: Link) =>
        question({ ...link, call: link.call.bind(link), version: () => undefined })
      return world.cluster.askNode(node, asOld, signal)
    }
  }
  const [, producerId, epoch] = /producer (\d+) \(epoch (\d+)/.exec(who) ?? []
  expect(await tellHolder(old, held, world.signal)).toBe(
    `${who} has a transaction open there; if nobody ends it: ${abort} --producer-id ${producerId} --producer-epoch ${epoch} --coordinator-epoch 0`
  )
})

test('one that has ended is not to be aborted', async () => {
  const { world, other, held } = await opened()
  await other.commit(world.signal)
  expect(await tellHolder(world.cluster, held, world.signal)).toMatch(
    /^no transaction is open there any more/
  )
})

test('a partition that cannot be asked names nobody', async () => {
  const { world, abort } = await opened()
  const held = { ...world.at(7), offset: 3 }
  const said = await tellHolder(world.cluster, held, world.signal)
  expect(said).toContain(`an unknown producer (`)
  expect(said).toContain(`${abort.replace('--partition 0', '--partition 7')} --start-offset 3`)
})
