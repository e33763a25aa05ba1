import { expect, test } from 'vitest'
import { FetchSession, type WantedPartition } from '../../../src/actors/kafka/fetch-session.ts'

const request = (partition: number, fetchOffset = 0): WantedPartition => ({
  key: `t-${partition}`,
  topic: 't',
  partition,
  fetchOffset,
  leaderEpoch: 0,
  maxBytes: 100
})
const answer = (sessionId: number, error = 0) => ({ error, sessionId, partitions: [] })
const named = (partitions: readonly { partition: number }[]) => partitions.map(({ partition }) => partition)

test('within a session only what changed is named', () => {
  const session = new FetchSession()
  expect(session.next([request(0), request(1)])).toMatchObject({
    sessionId: 0,
    sessionEpoch: 0,
    forgotten: []
  })
  expect(session.accept(answer(9))).toBe(true)

  const second = session.next([request(0), request(1, 5), request(2)])
  expect(second).toMatchObject({ sessionId: 9, sessionEpoch: 1 })
  expect(named(second.partitions)).toEqual([1, 2])
  session.accept(answer(9))

  const third = session.next([request(1, 5), request(2)])
  expect(third.sessionEpoch).toBe(2)
  expect(third.partitions).toEqual([])
  expect(named(third.forgotten)).toEqual([0])
})

test('a session the broker has lost begins again with a full request', () => {
  for (const error of [70, 71]) {
    const session = new FetchSession()
    session.next([request(0), request(1)])
    session.accept(answer(9))
    session.next([request(0, 1), request(1)])
    expect(session.accept(answer(0, error))).toBe(false)
    const again = session.next([request(0, 1), request(1)])
    expect(again).toMatchObject({ sessionId: 0, sessionEpoch: 0, forgotten: [] })
    expect(named(again.partitions).sort()).toEqual([0, 1])
  }
})

test('without sessions every request is full, and its order rotates', () => {
  const session = new FetchSession()
  const orders = [0, 1, 2, 3].map(() => {
    const next = session.next([request(0), request(1), request(2)])
    expect(next).toMatchObject({ sessionId: 0, sessionEpoch: 0 })
    session.accept(answer(0))
    return named(next.partitions)
  })
  expect(orders).toEqual([
    [0, 1, 2],
    [1, 2, 0],
    [2, 0, 1],
    [0, 1, 2]
  ])
})

test('the position a partition was asked at is remembered over requests that do not name it', () => {
  const session = new FetchSession()
  session.next([request(0, 7), request(1)])
  session.accept(answer(9))
  session.next([request(0, 7), request(1)])
  expect(session.positionOf('t-0')).toBe(7)
  expect(session.positionOf('t-5')).toBeUndefined()
})
