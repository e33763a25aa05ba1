import { expect, test } from 'vitest'
import { hasPython, pythonTool } from '../../tools/python.ts'
import { brokerIn, temporaryDirectory } from './support.ts'

test.skipIf(!hasPython)(
  'librdkafka: admin, transactions, offsets in them, fencing, idempotence, groups',
  async () => {
    const broker = await brokerIn(temporaryDirectory())
    const seen: unknown = JSON.parse(await pythonTool('broker_clients.py', broker.brokers))
    expect(seen).toEqual({
      partitions: 3,
      maxMessageBytes: '2000000',
      committedOnce: true,
      offsetsInTransaction: true,
      fenced: true,
      unsent: 0,
      all: true,
      records: expect.any(Number)
    })
  }
)
