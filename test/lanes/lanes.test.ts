import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { createActor, toPromise } from 'xstate'
import { createLanes } from '../../src/lanes/lanes.ts'
import type { LaneOrder } from '../../src/lanes/order.ts'

const orders: LaneOrder[] = [0, 1].map((lane) => ({
  config: {},
  instance: 'm',
  lane,
  workerId: 'w',
  budgetBytes: 1
}))
const port = `const { parentPort } = require('node:worker_threads')
const say = (report) => parentPort.postMessage(report)
`
/** Ends when it is told to. */
const obedient = `${port}parentPort.on('message', ({ type }) => type === 'begin' || parentPort.close())`
/** Does not hear. */
const deaf = 'setInterval(() => {}, 1_000)'

/** Lanes with these programs, and how many threads were gone when the lanes said so. */
function run(...programs: readonly string[]) {
  const waiting = [...programs]
  let [left, leftAtEnd] = [programs.length, -1]
  const [begun, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const logic = createLanes({
    orders,
    onBegin: () => {},
    onSeen: () => {},
    onGone: () => {
      leftAtEnd = left
      gone.resolve()
    },
    open: () => {
      const worker = new Worker(waiting.shift() ?? '', { eval: true })
      worker.once('online', () => begun.resolve())
      worker.once('exit', () => left--)
      return worker
    },
    goneMs: 50
  })
  const actor = createActor(logic, { input: undefined })
  const ended = toPromise(actor)
  actor.start()
  return { actor, ended, begun: begun.promise, gone: gone.promise, leftAtEnd: () => leftAtEnd }
}

test('lanes that have drained are done, when all are', async () => {
  const drains = `${port}parentPort.on('message', ({ type }) => {
    if (type === 'drain') say({ type: 'lane.drained' })
    if (type === 'stop') parentPort.close()
  })`
  const { actor, ended, leftAtEnd } = run(drains, drains)
  actor.send({ type: 'drain' })
  await ended
  expect(leftAtEnd()).toBe(0)
})

test('a fault ends all lanes, and is told when the last of them is gone, also one that does not listen', async () => {
  const fails = `${port}say({ type: 'lane.failed', fault: { code: 'claim-mismatch', message: 'm', retryable: false } })
parentPort.on('message', ({ type }) => type === 'begin' || parentPort.close())`
  const { ended, leftAtEnd } = run(deaf, fails)
  await expect(ended).rejects.toMatchObject({ name: 'Fault', code: 'claim-mismatch', retryable: false })
  expect(leftAtEnd()).toBe(0)
})

test('a lane that ends without a word is a fault, and so is one that throws', async () => {
  const silent = run('', obedient)
  await expect(silent.ended).rejects.toMatchObject({
    code: 'lane-lost',
    message: 'lane 0 ended without a word'
  })
  const throwing = run(obedient, "throw new Error('defect')")
  await expect(throwing.ended).rejects.toMatchObject({ code: 'unknown', message: 'defect' })
  expect(throwing.leftAtEnd()).toBe(0)
})

test('lanes that are stopped are told so, and are torn down when they do not end', async () => {
  const { actor, begun, gone, leftAtEnd } = run(deaf, deaf)
  await begun
  actor.stop()
  await gone
  expect(leftAtEnd()).toBe(0)
})
