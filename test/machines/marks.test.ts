import { expect, test } from 'vitest'
import { cut, type Mark } from '../../src/machines/marks.ts'

test('what was not reached everywhere ends where it was, or is left out', () => {
  const mark = (partition: number, next: number): Mark => {
    return { topic: 't', partition, next, leaderEpoch: 4, bytes: 10, records: 5, targets: [] }
  }
  const marks = { 't-0': mark(0, 9), 't-1': mark(1, 9), 't-2': mark(2, 9) }
  const short = [
    { topic: 't', partition: 0, from: 6 },
    { topic: 't', partition: 1 },
    { topic: 't', partition: 3, from: 1 }
  ]
  expect(cut(marks, short)).toEqual({ 't-0': mark(0, 6), 't-2': mark(2, 9) })
})
