import { expect, test } from 'vitest'
import { behind, both, NO_END, type Refused, suspect } from '../../src/machines/refused.ts'

const record = (offset: number, reason = 'no key') => ({ offset, reason })
const suspicion = (from: number, until: number, recordsMax: number): Refused => {
  return { records: [], suspicion: { from, until, recordsMax } }
}

test('a refused batch is cut into sixteen parts, never into none', () => {
  expect([1, 2, 16, 17, 1_000].map((n) => suspect(0, n, n).suspicion?.recordsMax)).toEqual([1, 1, 1, 2, 63])
})

test('whatever is refused next, parts become smaller until a record is known, which ends the search', () => {
  const narrowed = both(both(undefined, suspect(100, 200, 100)), suspect(107, 114, 7))
  expect(narrowed).toEqual(suspicion(100, 200, 1))
  expect(both(suspicion(5, NO_END, 4), suspicion(2, 9, 6))).toEqual(suspicion(2, NO_END, 4))
  expect(both(narrowed, { records: [record(110)] })).toEqual({ records: [record(110)] })
  const more = both({ records: [record(3), record(4)] }, { records: [record(4, 'else'), record(5)] })
  expect(more).toEqual({ records: [record(3), record(4, 'else'), record(5)] })
  expect(both(more, suspect(8, 9, 2)).records).toEqual(more.records)
})

test('what is committed needs no care any more', () => {
  const refused = { ...suspicion(10, 20, 2), records: [record(5), record(12)] }
  expect(behind(refused, 5)).toEqual(refused)
  expect(behind(refused, 6)?.records).toEqual([record(12)])
  expect(behind(refused, 13)).toEqual(suspicion(10, 20, 2))
  expect(behind(refused, 20)).toBeUndefined()
  expect(behind(suspicion(10, NO_END, 2), 1_000)).toEqual(suspicion(10, NO_END, 2))
})
