import { expect, test } from 'vitest'
import type { PartitionView } from '../../src/roles/role.ts'
import { troublesOf } from '../../src/roles/view.ts'

const view = (topic: string, partition: number, state: string, reason?: string): PartitionView => ({
  topic,
  partition,
  state,
  position: 0,
  end: 0,
  ...(reason === undefined ? {} : { reason })
})

test('partitions in the same trouble are told together, those with a reason first', () => {
  const partitions = [
    view('a', 0, 'restoring'),
    view('a', 1, 'restoring'),
    view('b', 0, 'held', 'no room'),
    view('b', 1, 'held', 'no topic'),
    view('c', 0, 'held', 'no room'),
    view('c', 1, 'held', 'no room')
  ]
  expect(troublesOf(partitions)).toEqual([
    'b-0 and 2 more are held: no room',
    'b-1 is held: no topic',
    'a-0 and 1 more are restoring'
  ])
  expect(troublesOf([])).toEqual([])
})

test('a few troubles are told, the rest is counted', () => {
  const partitions = Array.from({ length: 40 }, (_, index) =>
    view('a', index, 'held', `reason ${index % 20}`)
  )
  const told = troublesOf(partitions)
  expect(told.length).toBe(6)
  expect(told[0]).toBe('a-0 and 1 more are held: reason 0')
  expect(told.at(-1)).toBe('and 30 more')
})
