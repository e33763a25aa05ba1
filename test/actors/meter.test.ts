import { expect, test } from 'vitest'
import { createActor, setup } from 'xstate'
import { ByteBudget } from '../../src/actors/budget.ts'
import { createMeter } from '../../src/actors/meter.ts'

test('the machine hears of a budget only where its flow changes, and no more once it has stopped', async () => {
  const budget = new ByteBudget(100)
  const heard: number[] = []
  const actor = createActor(
    setup({ actors: { meter: createMeter(budget) } }).createMachine({
      invoke: { src: 'meter' },
      on: {
        '*': { actions: ({ event }) => heard.push((event as unknown as { usedBytes: number }).usedBytes) }
      }
    })
  )
  actor.start()
  await Promise.resolve()
  await Promise.resolve()
  const leases = [10, 60, 10, 18].map((bytes) => budget.takeNow(bytes))
  expect(heard).toEqual([80, 98])
  for (const lease of leases) lease.release()
  expect(heard).toEqual([80, 98, 28])
  actor.stop()
  budget.takeNow(100)
  expect(heard.length).toBe(3)
})
