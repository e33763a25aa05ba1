import { expect, test } from 'vitest'
import { kafkaFault } from '../../../src/actors/kafka/errors.ts'
import type { ProduceResult } from '../../../src/actors/kafka/producer.ts'
import { failuresOf } from '../../../src/actors/mirror/writer.ts'
import { Fault } from '../../../src/errors.ts'
import { encodeBatch } from '../../../src/records/record.ts'

const notSent = new Fault('not-sent', 'an earlier batch of this transaction failed', { retryable: true })
const noBatch = () => undefined

function result(partition: number, fault?: Fault, error = fault === undefined ? 0 : -1): ProduceResult {
  return { topic: 't', partition, baseOffset: -1, error, fault }
}

test('a partition fails once with its first fault, however many of its batches did', () => {
  const moved = kafkaFault(6, 't-0')
  const lost = new Fault('link-closed', 'the connection was lost', { retryable: true })
  const results = [
    result(1),
    result(0, moved),
    result(0, kafkaFault(45, 't-0')),
    result(2, lost),
    result(0, moved),
    ...Array.from({ length: 100 }, () => result(0, notSent))
  ]
  const failures = failuresOf(results, noBatch)
  expect(failures.toSorted((a, b) => a.partition - b.partition)).toEqual([
    { topic: 't', partition: 0, fault: moved },
    { topic: 't', partition: 2, fault: lost }
  ])
})

test('whose batches only came after a failed one is not blamed, but nothing that failed goes unnoticed', () => {
  const moved = kafkaFault(6, 't-0')
  expect(failuresOf([result(0, moved), result(1, notSent)], noBatch)).toEqual([
    { topic: 't', partition: 0, fault: moved }
  ])
  expect(failuresOf([result(1, notSent), result(1, notSent)], noBatch)).toEqual([
    { topic: 't', partition: 1, fault: notSent }
  ])
  expect(failuresOf([result(0), result(1)], noBatch)).toEqual([])
})

test('the batch that the target calls corrupt is the one that is held against its own checksum', () => {
  const whole = encodeBatch([{ key: null, value: Buffer.from('v'), headers: [], timestamp: 0 }], { codec: 0 })
  const damaged = Buffer.from(whole)
  damaged.fill(damaged.at(-1) === 0 ? 1 : 0, damaged.length - 1)
  const corrupt = result(0, kafkaFault(2, 't-0'), 2)
  const codes = [damaged, whole].map(
    (batch) => failuresOf([result(0), corrupt], (index) => (index === 1 ? batch : noBatch()))[0]?.fault.code
  )
  expect(codes).toEqual(['source-corrupt', 'kafka-corrupt-message'])
})
