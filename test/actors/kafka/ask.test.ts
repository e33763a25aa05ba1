import protocol from 'kafkajs/src/protocol/requests/index.js'
import { expect, test } from 'vitest'
import { ask } from '../../../src/actors/kafka/ask.ts'
import type { Link } from '../../../src/actors/kafka/link.ts'

test('what a broker does not offer is named, with the broker, before anything is sent', async () => {
  const link: Link = {
    address: 'old.example:9092',
    alive: true,
    closed: new Promise(() => {}),
    version: () => undefined,
    call: () => expect.unreachable('nothing may be sent'),
    destroy: () => {}
  }
  const question = { transactionalId: 'id', transactionTimeout: 1_000 }
  await expect(ask(link, protocol.requests.InitProducerId, question)).rejects.toMatchObject({
    code: 'broker-too-old',
    message: 'old.example:9092 does not know InitProducerId',
    retryable: false
  })
})
