import { expect, test } from 'vitest'
import { createActor, setup, toPromise } from 'xstate'
import { fromTask } from '../../src/actors/task.ts'

type Command = { readonly type: 'work'; readonly item: number } | { readonly type: 'finish' }
type Report = { readonly type: 'worked'; readonly item: number }

const unbound = fromTask<string, { readonly name: string }, Command, Report>(() =>
  Promise.reject(new Error('actor not provided'))
)

/** A machine that hands two items to its task at once and collects what the task reports. */
const machine = setup({
  types: { context: {} as { readonly items: readonly number[] }, events: {} as Report | { type: 'leave' } },
  actors: { task: unbound },
  actions: {}
}).createMachine({
  context: { items: [] },
  initial: 'busy',
  states: {
    busy: {
      invoke: {
        src: 'task',
        id: 'task',
        input: { name: 'one' },
        onDone: 'done'
      },
      on: { leave: 'left' }
    },
    left: { type: 'final' },
    done: { type: 'final' }
  }
})

test('a task that fails late, long after its first await, escalates its own error', async () => {
  const failing = fromTask<string, { readonly name: string }, Command, Report>(async () => {
    await new Promise((resolve) => setImmediate(resolve))
    throw new Error('coordinator lost')
  })
  const actor = createActor(machine.provide({ actors: { task: failing } }))
  const ended = toPromise(actor)
  actor.start()
  await expect(ended).rejects.toThrow('coordinator lost')
})

test('leaving the invoking state aborts the task, and nothing that it reports afterwards arrives', async () => {
  let signal: AbortSignal | undefined
  const waiting = fromTask<string, { readonly name: string }, Command, Report>(
    async ({ signal: own, report }) => {
      signal = own
      await new Promise((resolve) => own.addEventListener('abort', resolve))
      report({ type: 'worked', item: 1 })
      return 'late'
    }
  )
  const actor = createActor(machine.provide({ actors: { task: waiting } }))
  const ended = toPromise(actor)
  actor.start()
  await Promise.resolve()
  actor.send({ type: 'leave' })
  await ended
  expect(signal?.aborted).toBe(true)
  expect(actor.getSnapshot().value).toBe('left')
})

test('commands that come before the task listens reach it in order', async () => {
  const received: number[] = []
  const logic = fromTask<string, { readonly name: string }, Command, Report>(async ({ receive, input }) => {
    await new Promise((resolve) => setImmediate(resolve))
    return new Promise((resolve) =>
      receive((command) => {
        if (command.type === 'finish') resolve(input.name)
        else received.push(command.item)
      })
    )
  })
  const actor = createActor(logic, { input: { name: 'one' } })
  const ended = toPromise(actor)
  actor.start()
  for (const item of [1, 2, 3]) actor.send({ type: 'work', item })
  actor.send({ type: 'finish' })
  expect(await ended).toBe('one')
  expect(received).toEqual([1, 2, 3])
})

test('a listener that throws puts the task in error and aborts its work', async () => {
  let signal: AbortSignal | undefined
  const logic = fromTask<string, { readonly name: string }, Command, Report>(
    ({ receive, signal: own }) =>
      new Promise(() => {
        signal = own
        receive(() => {
          throw new Error('listener broke')
        })
      })
  )
  const actor = createActor(logic, { input: { name: 'one' } })
  const ended = toPromise(actor)
  actor.start()
  await Promise.resolve()
  actor.send({ type: 'finish' })
  await expect(ended).rejects.toThrow('listener broke')
  expect(signal?.aborted).toBe(true)
})
