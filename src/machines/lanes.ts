import { sendTo, setup } from 'xstate'
import { fromTask } from '../actors/task.ts'

const unbound = () => Promise.reject(new Error('actor not provided'))

/** A mirror whose work is done by lanes: it starts them, passes the drain on, and ends or fails as they do. */
export const lanesMachine = setup({
  types: { events: {} as { readonly type: 'drain' } },
  actors: { lanes: fromTask<void, undefined, { readonly type: 'drain' }, never>(unbound) },
  actions: { drainLanes: sendTo('lanes', { type: 'drain' }) }
}).createMachine({
  id: 'lanes',
  initial: 'active',
  states: {
    active: {
      invoke: { src: 'lanes', id: 'lanes', onDone: 'done' },
      initial: 'running',
      states: {
        running: { on: { drain: 'draining' } },
        draining: { entry: 'drainLanes' }
      }
    },
    done: { type: 'final' }
  }
})
