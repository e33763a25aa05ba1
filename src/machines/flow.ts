import { assign, setup } from 'xstate'
import type { FlowState } from '../roles/role.ts'

export type { FlowState } from '../roles/role.ts'

/**
 * Watermarks as parts of a byte limit. Each boundary has two, a high one to go up and a low one to come back, so that
 * the state does not flicker with every batch.
 */
export const watermarks = {
  throttled: { high: 0.75, low: 0.5 },
  paused: { high: 0.95, low: 0.75 }
} as const

/** The state that follows `state` when `usedBytes` of `limitBytes` are held. Total: a limit of 0 pauses. */
export function nextFlow(state: FlowState, usedBytes: number, limitBytes: number): FlowState {
  const used = limitBytes > 0 ? usedBytes / limitBytes : 1
  if (used >= watermarks.paused.high) return 'paused'
  if (state === 'paused' && used > watermarks.paused.low) return 'paused'
  if (used >= watermarks.throttled.high) return 'throttled'
  if (state !== 'flowing' && used > watermarks.throttled.low) return 'throttled'
  return 'flowing'
}

export interface FlowInput {
  readonly limitBytes: number
}

export type FlowEvent = { readonly type: 'budget.changed'; readonly usedBytes: number }

/** `flowing → throttled → paused` and back, driven by the bytes that a budget has lent. */
export const flowMachine = setup({
  types: {
    context: {} as FlowInput & { readonly usedBytes: number },
    events: {} as FlowEvent,
    input: {} as FlowInput
  },
  guards: {
    leadsTo: ({ context, event }, { from, to }: { readonly from: FlowState; readonly to: FlowState }) =>
      nextFlow(from, event.usedBytes, context.limitBytes) === to
  },
  actions: {
    keepUsed: assign({ usedBytes: ({ event }) => event.usedBytes })
  }
}).createMachine({
  id: 'flow',
  context: ({ input }) => ({ ...input, usedBytes: 0 }),
  initial: 'flowing',
  states: {
    flowing: {
      on: {
        'budget.changed': [
          {
            guard: { type: 'leadsTo', params: { from: 'flowing', to: 'paused' } },
            target: 'paused',
            actions: 'keepUsed'
          },
          {
            guard: { type: 'leadsTo', params: { from: 'flowing', to: 'throttled' } },
            target: 'throttled',
            actions: 'keepUsed'
          },
          { actions: 'keepUsed' }
        ]
      }
    },
    throttled: {
      on: {
        'budget.changed': [
          {
            guard: { type: 'leadsTo', params: { from: 'throttled', to: 'paused' } },
            target: 'paused',
            actions: 'keepUsed'
          },
          {
            guard: { type: 'leadsTo', params: { from: 'throttled', to: 'flowing' } },
            target: 'flowing',
            actions: 'keepUsed'
          },
          { actions: 'keepUsed' }
        ]
      }
    },
    paused: {
      on: {
        'budget.changed': [
          {
            guard: { type: 'leadsTo', params: { from: 'paused', to: 'throttled' } },
            target: 'throttled',
            actions: 'keepUsed'
          },
          {
            guard: { type: 'leadsTo', params: { from: 'paused', to: 'flowing' } },
            target: 'flowing',
            actions: 'keepUsed'
          },
          { actions: 'keepUsed' }
        ]
      }
    }
  }
})
