import { expect, test } from 'vitest'
import { createActor, sendTo, setup } from 'xstate'
import { stopOrphans } from '../../src/actors/orphans.ts'
import { fromTask } from '../../src/actors/task.ts'

/** A tree `root → role → shard → link`, where an action of `shard` throws when it is told to. */
function tree() {
  const running = new Set<string>()
  const link = (name: string) =>
    fromTask<void, unknown>(async ({ signal }) => {
      running.add(name)
      signal.addEventListener('abort', () => running.delete(name))
      await new Promise(() => {})
    })
  const types = { events: {} as { readonly type: 'boom' } }
  const boom = () => {
    throw new Error('boom')
  }
  const shard = setup({ types, actors: { link: link('shard link') }, actions: { boom } }).createMachine({
    invoke: { id: 'link', src: 'link' },
    initial: 'idle',
    states: { idle: { on: { boom: { actions: 'boom' } } } }
  })
  const role = setup({ types, actors: { link: link('role link'), shard } }).createMachine({
    invoke: [
      { id: 'link', src: 'link' },
      { id: 'shard', src: 'shard' }
    ],
    initial: 'idle',
    states: { idle: { on: { boom: { actions: sendTo('shard', { type: 'boom' }) } } } }
  })
  const root = setup({ types, actors: { role } }).createMachine({
    initial: 'running',
    states: {
      running: {
        invoke: { id: 'role', src: 'role', onError: 'failed' },
        on: { boom: { actions: sendTo('role', { type: 'boom' }) } }
      },
      failed: {}
    }
  })
  return { root, running }
}

test('the children of a machine whose action threw are stopped', async () => {
  const { root, running } = tree()
  const actor = createActor(root, { inspect: stopOrphans }).start()
  await expect.poll(() => [...running].sort()).toEqual(['role link', 'shard link'])
  actor.send({ type: 'boom' })
  expect(actor.getSnapshot().value).toBe('failed')
  await expect.poll(() => [...running]).toEqual([])
})

test('without it they would go on: the reason that it exists', async () => {
  const { root, running } = tree()
  const actor = createActor(root).start()
  await expect.poll(() => [...running].sort()).toEqual(['role link', 'shard link'])
  actor.send({ type: 'boom' })
  actor.stop()
  await expect.poll(() => [...running]).toEqual(['shard link'])
})
