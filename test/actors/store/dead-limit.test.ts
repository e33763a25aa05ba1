import { expect, test } from 'vitest'
import { DeadLetterLimit } from '../../../src/actors/store/dead-limit.ts'
import { seededRandom } from '../../support/random.ts'

/** Plays records, `x` a dead letter; the index of the one that was too many. */
function stopsAt(limit: DeadLetterLimit, records: string): number {
  for (let index = 0; index < records.length; index++) {
    if (records[index] !== 'x') limit.countRow()
    else {
      try {
        limit.countDead(index, 'no JSON')
      } catch (error) {
        expect(error).toMatchObject({ code: 'dead-letters-exceeded', retryable: false })
        expect((error as Error).message).toContain(`at offset ${index}: no JSON`)
        return index
      }
    }
  }
  return -1
}

test('one dead letter too many among consecutive records stops, and one fewer does not', () => {
  expect(stopsAt(new DeadLetterLimit({ max: 2, among: 5 }), 'x.x.x')).toBe(4)
  expect(stopsAt(new DeadLetterLimit({ max: 2, among: 5 }), 'x.x..x.x..x')).toBe(-1)
  expect(stopsAt(new DeadLetterLimit({ max: 2, among: 5 }), 'x.x..xx')).toBe(6)
  expect(stopsAt(new DeadLetterLimit({ max: 0, among: 1 }), '...x')).toBe(3)
})

test('the window slides by records, whatever stood before it', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed)
    const [max, among] = [Math.floor(random() * 4), 4 + Math.floor(random() * 6)]
    const records = Array.from({ length: 80 }, () => (random() < 0.3 ? 'x' : '.')).join('')
    const isTooMany = (_: string, at: number) =>
      records[at] === 'x' && records.slice(Math.max(0, at + 1 - among), at + 1).split('x').length - 1 > max
    expect(stopsAt(new DeadLetterLimit({ max, among }), records), `seed ${seed}`).toBe(
      [...records].findIndex(isTooMany)
    )
  }
})

test('reading on at another place begins to count anew', () => {
  const limit = new DeadLetterLimit({ max: 1, among: 10 })
  expect(stopsAt(limit, 'x')).toBe(-1)
  limit.reset()
  expect(stopsAt(limit, 'x')).toBe(-1)
  expect(stopsAt(limit, 'x')).toBe(0)
})
