import { expect, test } from 'vitest'
import { pythonTool } from '../../tools/python.ts'
import { fresh, type Subject } from './bench.ts'

/**
 * librdkafka's clients (confluent-kafka of PyPI), by the scenes of `test/tools/python/broker_clients.py`. They mostly
 * wait, so they play side by side, but for those whose faults would meet the others.
 */
export function librdkafkaClients(subject: () => Subject): void {
  const play = async (scene: string): Promise<unknown> =>
    JSON.parse(await pythonTool('broker_clients.py', [subject().address, scene, fresh('rd')]))

  test.concurrent('the admin client: topics, configs, partitions, records, offsets, groups', async () => {
    expect(await play('admin')).toEqual({
      created: '2000000',
      altered: true,
      grown: true,
      hasId: true,
      low: 4,
      high: 10,
      committed: 7,
      state: 'ConsumerGroupState.EMPTY',
      listed: true,
      gone: true
    })
  })

  test.concurrent('an idempotent producer writes everything once', async () => {
    expect(await play('idempotence')).toEqual({ unsent: 0, once: true })
  })

  test.concurrent('read_committed with checked CRCs gets what was committed, once', async () => {
    expect(await play('transactions')).toEqual({ committedOnce: true, uncommitted: 500 })
  })

  test.concurrent('offsets in a transaction move with its commit only', async () => {
    expect(await play('copying')).toEqual({ moved: [true, true] })
  })

  test.concurrent('a fenced transactional producer fails fatally, and its successor goes on', async () => {
    expect(await play('fencing')).toEqual({ fatal: true, keys: ['successor'] })
  })

  test.concurrent('three members with eager rebalances share fairly, lose and repeat nothing', async () => {
    expect(await play('eager')).toMatchObject({
      shares: [true, true, true, true],
      read: true,
      once: true,
      keptAll: false
    })
  })

  test.concurrent('three members with cooperative rebalances keep what need not move, lose and repeat none', async () => {
    // Of six partitions three go to the second member, then one of each to the third.
    expect(await play('cooperative')).toEqual({
      shares: [true, true, true, true],
      read: true,
      once: true,
      takenWhileGrowing: 5,
      keptAll: true
    })
  })

  test('an idempotent producer whose replies are lost writes everything once', async () => {
    const lost = subject().loseReplies('Produce', 3)
    expect(await play('idempotence')).toEqual({ unsent: 0, once: true })
    expect(lost.hits).toBe(3)
  })

  test('a transaction whose EndTxn reply is lost ends once', async () => {
    const lost = subject().loseReplies('EndTxn', 1)
    expect(await play('transactions')).toEqual({ committedOnce: true, uncommitted: 500 })
    expect(lost.hits).toBe(1)
  })
}
