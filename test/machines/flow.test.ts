import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createActor } from 'xstate'
import { type FlowState, flowMachine, nextFlow, watermarks } from '../../src/machines/flow.ts'
import { walk } from '../support/walk.ts'

const LIMIT = 100
const rank = { flowing: 0, throttled: 1, paused: 2 } as const

test('goes up at the high watermarks and comes back at the low ones', () => {
  const actor = createActor(flowMachine, { input: { limitBytes: LIMIT } }).start()
  const after = (usedBytes: number) => {
    actor.send({ type: 'budget.changed', usedBytes })
    return actor.getSnapshot().value
  }
  const path = [10, 74, 75, 60, 51, 50, 75, 95, 80, 76, 75, 51, 50, 100, 0].map((used) => [used, after(used)])
  expect(path).toEqual([
    [10, 'flowing'],
    [74, 'flowing'],
    [75, 'throttled'],
    [60, 'throttled'],
    [51, 'throttled'],
    [50, 'flowing'],
    [75, 'throttled'],
    [95, 'paused'],
    [80, 'paused'],
    [76, 'paused'],
    [75, 'throttled'],
    [51, 'throttled'],
    [50, 'flowing'],
    [100, 'paused'],
    [0, 'flowing']
  ])
})

test('every reachable state is bounded by the watermarks, and the machine does what nextFlow says', () => {
  const levels = Array.from({ length: LIMIT + 21 }, (_, used) => used)
  const { states, edges } = walk({
    machine: flowMachine,
    input: { limitBytes: LIMIT },
    events: () => levels.map((usedBytes) => ({ type: 'budget.changed', usedBytes })),
    key: ({ value }) => String(value),
    check: (next, before, event) => {
      if (before === undefined || event === undefined) return
      const used = Number(Reflect.get(event, 'usedBytes'))
      expect(next.context.usedBytes).toBe(used)
      expect(next.value).toBe(nextFlow(before.value as FlowState, used, LIMIT))
      if (used >= watermarks.paused.high * LIMIT) expect(next.value).toBe('paused')
      if (used <= watermarks.throttled.low * LIMIT) expect(next.value).toBe('flowing')
    }
  })
  expect([...states].sort()).toEqual(['flowing', 'paused', 'throttled'])
  expect(edges).toBe(3 * levels.length)
})

test('more bytes never mean more flow, and the state settles at once', () => {
  const state = fc.constantFrom<FlowState>('flowing', 'throttled', 'paused')
  const bytes = fc.nat(200)
  fc.assert(
    fc.property(state, bytes, bytes, fc.nat(150), (from, one, other, limit) => {
      const [less, more] = [Math.min(one, other), Math.max(one, other)]
      expect(rank[nextFlow(from, less, limit)]).toBeLessThanOrEqual(rank[nextFlow(from, more, limit)])
      const settled = nextFlow(from, one, limit)
      expect(nextFlow(settled, one, limit)).toBe(settled)
    })
  )
})
