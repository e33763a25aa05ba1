import { expect, test } from 'vitest'
import { kafkaFault } from '../../src/actors/kafka/errors.ts'
import { Fault } from '../../src/errors.ts'
import { isDoubt, targetStops } from '../../src/machines/verdict.ts'

const failed = (fault: Fault) => targetStops([{ topic: 't', partition: 1, fault }])

/** Out of order, duplicate, fenced, no such transaction, no such id, another one, the coordinator's, the producer's … */
const OF_THE_TRANSACTION = [45, 46, 47, 48, 49, 51, 52, 55, 59, 90, 120]

test('what concerns the whole transaction blames no partition, and is a doubt that fencing resolves', () => {
  for (const code of OF_THE_TRANSACTION) {
    const fault = kafkaFault(code, 'x')
    expect(failed(fault), fault.code).toEqual([])
    expect(isDoubt(fault), fault.code).toBe(true)
  }
  const unsent = new Fault('not-sent', 'an earlier batch failed', { retryable: true })
  expect([failed(unsent), isDoubt(unsent)]).toEqual([[], true])
})

test('a partition is rejected for what the target refuses for good, and else tried again', () => {
  const verdicts = (...codes: readonly number[]) =>
    codes.flatMap((code) => failed(kafkaFault(code, 'x')).map(({ key, stop }) => [key, stop.standing]))
  // Too large, a list too large, a timestamp that is not allowed, a record that is not.
  expect(verdicts(10, 18, 32, 87)).toEqual(new Array(4).fill(['t-1', 'rejected']))
  // Missing, no leader, moved, timed out, too few replicas, forbidden, a sick disk, a batch damaged on its way.
  expect(verdicts(3, 5, 6, 7, 19, 20, 29, 56, 2)).toEqual(new Array(9).fill(['t-1', 'quarantined']))
  expect(failed(new Fault('source-corrupt', 'x'))).toMatchObject([{ stop: { standing: 'source-corrupt' } }])
})

test('what no fencing can help is no doubt', () => {
  for (const fault of [
    kafkaFault(53, 'x'),
    new Fault('authentication-failed', 'x'),
    new Fault('unknown', 'x')
  ])
    expect(isDoubt(fault), fault.code).toBe(false)
})
