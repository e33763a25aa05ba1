import { expect, test } from 'vitest'
import { Gate } from '../../src/actors/gate.ts'

const never = new AbortController().signal
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('so many pass at a time, in the order in which they came', async () => {
  const gate = new Gate(2)
  const inside: number[] = []
  const leave: (() => void)[] = []
  const passed = [0, 1, 2, 3].map((n) =>
    gate.pass(() => {
      inside.push(n)
      return new Promise<void>((resolve) => leave.push(resolve))
    }, never)
  )
  await settled()
  expect(inside).toEqual([0, 1])
  leave[1]?.()
  await settled()
  expect(inside).toEqual([0, 1, 2])
  leave[0]?.()
  await settled()
  for (const go of leave) go()
  await Promise.all(passed)
  expect(inside).toEqual([0, 1, 2, 3])
})

test('who fails or gives up while waiting leaves the place to the next', async () => {
  const gate = new Gate(1)
  const waits = Promise.withResolvers<void>()
  const first = gate.pass(() => waits.promise, never)
  const life = new AbortController()
  const second = gate.pass(() => Promise.resolve('second'), life.signal)
  const third = gate.pass(() => Promise.resolve('third'), never)
  life.abort(new Error('gives up'))
  await expect(second).rejects.toThrow('gives up')
  waits.reject(new Error('fails'))
  await expect(first).rejects.toThrow('fails')
  expect(await third).toBe('third')
  expect(await gate.pass(() => Promise.resolve('fourth'), never)).toBe('fourth')
  await expect(gate.pass(() => Promise.resolve('late'), life.signal)).rejects.toThrow('gives up')
})
