import { expect, test } from 'vitest'
import { kafkaFault } from '../../../src/actors/kafka/errors.ts'
import type { ProduceResult } from '../../../src/actors/kafka/producer.ts'
import { failuresOf, unacknowledged } from '../../../src/actors/mirror/failures.ts'
import type { CopiedBatch } from '../../../src/actors/mirror/intake.ts'
import { Fault } from '../../../src/errors.ts'
import { NO_END } from '../../../src/machines/refused.ts'
import type { Origin } from '../../../src/records/rebatch.ts'
import { encodeBatch } from '../../../src/records/record.ts'

const notSent = new Fault('not-sent', 'an earlier batch of this transaction failed', { retryable: true })
const source = (partition: number) => ({ topic: 't', partition })
const whole = encodeBatch([{ key: null, value: Buffer.from('v'), headers: [], timestamp: 0 }], { codec: 0 })

type Sent = readonly [batch: CopiedBatch, result: ProduceResult]

/** A batch of `t` for `copy-of-t` and what became of it. */
function sent(partition: number, fault?: Fault, more: Partial<CopiedBatch & ProduceResult> = {}): Sent {
  const place = { topic: 'copy-of-t', partition }
  const { batch = whole, origins = [{ offset: 0, count: 1 }], isDeadLetter = false, ...rest } = more
  const error = fault === undefined ? 0 : -1
  return [
    { ...place, batch, origins, isDeadLetter, source: source(partition) },
    { ...place, baseOffset: -1, error, fault, ...rest }
  ]
}

const failed = (...all: readonly Sent[]) =>
  failuresOf(
    all.map(([, result]) => result),
    all.map(([batch]) => batch)
  )

test('a partition fails once with its first fault, however many of its batches did', () => {
  const moved = kafkaFault(6, 't-0')
  const lost = new Fault('link-closed', 'the connection was lost', { retryable: true })
  const failures = failed(
    sent(1),
    sent(0, moved),
    sent(0, kafkaFault(45, 't-0')),
    sent(2, lost),
    sent(0, moved),
    ...Array.from({ length: 100 }, () => sent(0, notSent))
  )
  expect(failures.toSorted((a, b) => a.partition - b.partition)).toEqual([
    { ...source(0), fault: moved },
    { ...source(2), fault: lost }
  ])
})

test('whose batches only came after a failed one is not blamed, but nothing that failed goes unnoticed', () => {
  const moved = kafkaFault(6, 't-0')
  expect(failed(sent(0, moved), sent(1, notSent))).toEqual([{ ...source(0), fault: moved }])
  expect(failed(sent(1, notSent), sent(1, notSent))).toEqual([{ ...source(1), fault: notSent }])
  expect(failed(sent(0), sent(1))).toEqual([])
})

test('of a partition that failed in part, what comes before the first record that failed is on the target', () => {
  const at = (offset: number) => ({ origins: [{ offset, count: 5 }] })
  const told = (...all: readonly Sent[]) =>
    unacknowledged(
      all.map(([, result]) => result),
      all.map(([batch]) => batch)
    )
  expect(told(sent(0, undefined, at(0)), sent(1, undefined, at(7)))).toEqual([])
  expect(told(sent(0, notSent, at(0)), sent(1, undefined, at(7)), sent(0, notSent, at(5)))).toEqual([
    source(0)
  ])
  expect(
    told(
      sent(0, undefined, at(0)),
      sent(1, undefined, at(7)),
      sent(0, notSent, at(5)),
      sent(0, notSent, at(10))
    )
  ).toEqual([{ ...source(0), from: 5 }])
  // Records of one partition that were put into two: what was written of the later ones counts for nothing.
  const [first, second] = [sent(0, notSent, at(3)), sent(0, undefined, at(4))]
  expect(told(second, first)).toEqual([{ ...source(0), from: 3 }])
})

test('the batch that the target calls corrupt is the one that is held against its own checksum', () => {
  const damaged = Buffer.from(whole)
  damaged.fill(damaged.at(-1) === 0 ? 1 : 0, damaged.length - 1)
  const codes = [damaged, whole].map(
    (batch) => failed(sent(0), sent(0, kafkaFault(2, 't-0'), { error: 2, batch }))[0]?.fault.code
  )
  expect(codes).toEqual(['source-corrupt', 'kafka-corrupt-message'])
})

/** What is made of a refusal of a batch whose records lay at these offsets. */
const refused = (
  error: number,
  origins: readonly Origin[],
  recordErrors: ProduceResult['recordErrors'] = []
) => failed(sent(0, kafkaFault(error, 'copy-of-t-0'), { error, origins, recordErrors }))[0]?.refused

test('records that the target blames are known by the offsets that they had on the source', () => {
  const origins = [
    { offset: 10, count: 2 },
    { offset: 20, count: 3 }
  ]
  const blamed = [
    { index: 1, message: 'too late' },
    { index: 2, message: undefined }
  ]
  expect(refused(32, origins, blamed)).toEqual({
    records: [
      { offset: 11, reason: 'the record at offset 11: copy-of-t-0: invalid timestamp (32): too late' },
      { offset: 20, reason: 'the record at offset 20: copy-of-t-0: invalid timestamp (32)' }
    ]
  })
  expect(refused(87, origins, [{ index: 5, message: 'no such record' }])?.records, 'no such place').toEqual(
    []
  )
})

test('a dead letter that is refused has no other place to go', () => {
  const error = { error: 87, isDeadLetter: true, recordErrors: [{ index: 0, message: 'no key' }] }
  const fault = kafkaFault(87, 'dead-0')
  const reason = 'the record at offset 0: dead-0: invalid record (87): no key'
  expect(failed(sent(0, fault, error))).toEqual([
    { ...source(0), fault, refused: { records: [{ offset: 0, reason, isFinal: true }] } }
  ])
})

test('where no record is blamed, the batch is cut until one stands alone', () => {
  const origins = [
    { offset: 10, count: 40 },
    { offset: 100, count: 60 }
  ]
  expect(refused(87, origins)?.suspicion).toEqual({ from: 10, until: 160, recordsMax: 7 })
  expect(refused(10, origins)?.suspicion, 'a limit is met again').toMatchObject({ until: NO_END })
  expect(refused(18, origins)?.suspicion).toMatchObject({ from: 10, until: NO_END })
  expect(refused(10, [{ offset: 7, count: 1 }])).toEqual({
    records: [{ offset: 7, reason: 'the record at offset 7: copy-of-t-0: message too large (10)' }]
  })
  expect(refused(19, origins), 'a sick partition').toBeUndefined()
})
