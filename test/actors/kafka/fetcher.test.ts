import { expect, test } from 'vitest'
import { ByteBudget } from '../../../src/actors/budget.ts'
import { fetching, log, until } from './fetcher-world.ts'
import { type Asked, batchAt } from './scripted-cluster.ts'

test('a session goes on from where each slice ended, naming only what moved, read_committed', async () => {
  const { world, assign, ranges } = await fetching()
  world.topic.leaders = [
    { node: 0, epoch: 3 },
    { node: 0, epoch: 3 }
  ]
  world.fetch = log(7)
  assign({ partition: 0, position: 0 }, { partition: 1, position: 10 })
  await until(() => ranges().length === 4)
  expect(ranges().filter((range) => range.startsWith('0'))).toEqual(['0:0-5', '0:5-10', '0:10-15'])
  expect(ranges()).toContain('1:10-15')
  const [first, second] = world.asked
  expect([first?.sessionId, first?.sessionEpoch, second?.sessionId, second?.sessionEpoch]).toEqual([
    0, 0, 7, 1
  ])
  expect(first?.partitions.map(({ leaderEpoch }) => leaderEpoch)).toEqual([3, 3])
  expect(world.asked.map(({ isolation }) => isolation)).toEqual(world.asked.map(() => 1))
  const third = world.asked[2]
  expect(third?.partitions.map(({ partition }) => partition)).toEqual([0])
})

test('a lost session is opened again and nothing is missed or repeated', async () => {
  const { world, assign, ranges } = await fetching()
  world.topic.leaders = [{ node: 0, epoch: 0 }]
  const answer = log(7)
  const refusals = [70, 71]
  world.fetch = (asked) => {
    const error = asked.sessionEpoch > 0 ? refusals.shift() : undefined
    return error === undefined ? answer(asked) : { error, partitions: [] }
  }
  assign({ partition: 0, position: 0 })
  await until(() => ranges().length === 3)
  expect(ranges()).toEqual(['0:0-5', '0:5-10', '0:10-15'])
  expect(refusals).toEqual([])
})

test('a partition that comes back empty twice with data waiting is fetched alone, first', async () => {
  const { world, assign, ranges } = await fetching({ partitionMaxBytes: 1_000 })
  world.topic.leaders = [
    { node: 0, epoch: 0 },
    { node: 0, epoch: 0 }
  ]
  // Partition 0 always has data; the next batch of partition 1 is larger than its share.
  let position = 0
  world.fetch = ({ partitions: asked }) => {
    if (asked.length === 1 && asked[0]?.partition === 1) {
      if (asked[0].fetchOffset > 0) return undefined
      return { partitions: [{ partition: 1, highWatermark: 5, recordSet: batchAt(0, 5, 0, 2_000) }] }
    }
    position = asked.find(({ partition }) => partition === 0)?.fetchOffset ?? position
    return {
      partitions: [
        { partition: 0, highWatermark: 1_000_000, recordSet: batchAt(position, 5) },
        { partition: 1, highWatermark: 5 }
      ]
    }
  }
  assign({ partition: 0, position: 0 }, { partition: 1, position: 0 })
  await until(() => ranges().includes('1:0-5'))
  const alone = world.asked.findIndex(({ partitions }) => partitions.length === 1)
  expect(alone).toBe(2)
  expect(world.asked[alone]).toMatchObject({ sessionId: 0, sessionEpoch: -1, maxWaitMs: 0 })
  expect(ranges().indexOf('1:0-5')).toBe(2)
})

test('whom a full answer leaves out is not starving', async () => {
  const { world, assign, ranges } = await fetching({ maxBytes: 4_000 })
  world.topic.leaders = [
    { node: 0, epoch: 0 },
    { node: 0, epoch: 0 }
  ]
  let fetches = 0
  world.fetch = ({ partitions: asked }) => {
    // Everybody has data waiting; the first partition fills the answers, then the other one.
    const fed = fetches++ < 6 ? 0 : 1
    const offset = asked.find(({ partition }) => partition === fed)?.fetchOffset ?? fetches * 5
    return {
      partitions: [
        { partition: fed, highWatermark: 1_000_000, recordSet: batchAt(offset, 5, 0, 2_500) },
        { partition: 1 - fed, highWatermark: 1_000_000 }
      ]
    }
  }
  assign({ partition: 0, position: 0 }, { partition: 1, position: 0 })
  await until(() => ranges().filter((range) => range.startsWith('1:')).length > 2)
  expect(world.asked.filter(({ maxWaitMs }) => maxWaitMs === 0)).toEqual([])
})

test('between two fetches for one partition alone there is one for all', async () => {
  const { world, assign } = await fetching({ partitionMaxBytes: 1_000 })
  world.topic.leaders = [0, 1, 2].map(() => ({ node: 0, epoch: 0 }))
  world.fetch = ({ partitions: asked, maxWaitMs }) => {
    const all = asked.length > 0 && maxWaitMs === 0 ? asked.map(({ partition }) => partition) : [0, 1, 2]
    return { partitions: all.map((partition) => ({ partition, highWatermark: 5 })) }
  }
  assign(...[0, 1, 2].map((partition) => ({ partition, position: 0 })))
  const isAlone = ({ maxWaitMs }: Asked) => maxWaitMs === 0
  await until(() => world.asked.filter(isAlone).length >= 3)
  const pairs = world.asked.slice(1).map((one, index) => [world.asked[index], one])
  expect(pairs.filter((pair) => pair.every((one) => one !== undefined && isAlone(one)))).toEqual([])
})

test('nothing of a released or re-assigned partition is delivered', async () => {
  const { world, assign, tell, slices, ranges } = await fetching()
  world.topic.leaders = [
    { node: 0, epoch: 0 },
    { node: 0, epoch: 0 }
  ]
  const whileAnswering: (() => void)[] = [
    () => tell({ type: 'release', partitions: [{ topic: 't', partition: 1 }] }),
    () => assign({ partition: 0, position: 0, generation: 2 })
  ]
  const answer = log(7)
  world.fetch = (asked) => {
    whileAnswering.shift()?.()
    return answer(asked)
  }
  assign({ partition: 0, position: 5, generation: 1 }, { partition: 1, position: 0, generation: 1 })
  await until(() => ranges().includes('0:10-15'))
  expect(slices.some(({ partition }) => partition === 1)).toBe(false)
  const second = slices.filter(({ generation }) => generation === 2).map(({ fetchOffset }) => fetchOffset)
  expect(second.slice(0, 3)).toEqual([0, 5, 10])
})

test('after pause nothing is delivered or asked for, and resume goes on in place', async () => {
  const { world, assign, tell, ranges } = await fetching()
  world.topic.leaders = [{ node: 0, epoch: 0 }]
  const answer = log(7)
  let isFirst = true
  world.fetch = (asked) => {
    if (isFirst) tell({ type: 'pause' })
    isFirst = false
    return answer(asked)
  }
  assign({ partition: 0, position: 0 })
  await until(() => world.asked.length === 1)
  await new Promise((resolve) => setImmediate(resolve))
  expect(ranges()).toEqual([])
  tell({ type: 'resume' })
  await until(() => ranges().length === 3)
  expect(ranges()[0]).toBe('0:0-5')
})

test('a new leader is compared with what the old one gave before anything is fetched from it', async () => {
  const { world, assign, ranges } = await fetching()
  world.topic.leaders = [{ node: 0, epoch: 4 }]
  const answer = log(7)
  world.fetch = (asked) => {
    const from = asked.partitions[0]?.fetchOffset ?? 0
    if (asked.node === 0 && from < 5)
      return { partitions: [{ partition: 0, recordSet: batchAt(from, 5, 4) }] }
    if (asked.node === 0) {
      world.topic.leaders = [{ node: 1, epoch: 5 }]
      return { partitions: [{ partition: 0, error: 6 }] }
    }
    return answer(asked)
  }
  assign({ partition: 0, position: 0 })
  await until(() => ranges().includes('0:10-15'))
  expect(world.epochQuestions).toEqual([{ partition: 0, current: 5, epoch: 4 }])
  expect(world.asked.find(({ node }) => node === 1)?.partitions[0]).toMatchObject({
    leaderEpoch: 5,
    fetchOffset: 5
  })
})

test('a leader whose log ends before our position is reported, never followed', async () => {
  const { world, assign, faults, ranges } = await fetching()
  world.topic.leaders = [{ node: 0, epoch: 9 }]
  world.epochEnd = () => 3
  world.fetch = log(7)
  assign({ partition: 0, position: 5, leaderEpoch: 8, generation: 4 })
  await until(() => faults.length === 1)
  expect(faults[0]).toMatchObject({ topic: 't', partition: 0, generation: 4 })
  expect(faults[0]?.fault.code).toBe('log-diverged')
  expect(ranges()).toEqual([])
})

test('an offset out of range is reported, and the fetcher does not jump', async () => {
  const { world, assign, faults } = await fetching()
  world.topic.leaders = [{ node: 0, epoch: 0 }]
  world.fetch = (asked) =>
    asked.partitions.length === 0 ? undefined : { partitions: [{ partition: 0, error: 1 }] }
  assign({ partition: 0, position: 99 })
  await until(() => faults.length === 1)
  expect(faults[0]?.fault).toMatchObject({ code: 'offset-out-of-range', retryable: false })
  expect(new Set(world.asked.flatMap(({ partitions }) => partitions.map((one) => one.fetchOffset)))).toEqual(
    new Set([99])
  )
})

test('a topic that was deleted and made again is a fault, not a topic to read on', async () => {
  const { world, assign, faults, ranges } = await fetching()
  world.topic.leaders = [{ node: 0, epoch: 0 }]
  const answer = log(7)
  world.fetch = (asked) => {
    const from = asked.partitions[0]?.fetchOffset ?? 0
    if (from < 5) return answer(asked)
    world.topic.id = '22222222222222222222222222222222'
    return { partitions: [{ partition: 0, error: 3 }] }
  }
  assign({ partition: 0, position: 0 })
  await until(() => faults.length === 1)
  expect(faults[0]?.fault.code).toBe('topic-reset')
  expect(ranges()).toEqual(['0:0-5'])
})

test('a broker that dies is found again through metadata', async () => {
  const { world, assign, ranges } = await fetching()
  world.topic.leaders = [{ node: 0, epoch: 0 }]
  const answer = log(7)
  world.fetch = (asked) => {
    if (asked.node === 1) return answer(asked)
    world.topic.leaders = [{ node: 1, epoch: 0 }]
    world.brokers[0]?.dropConnections()
    return undefined
  }
  assign({ partition: 0, position: 0 })
  await until(() => ranges().length === 3)
  expect(ranges()).toEqual(['0:0-5', '0:5-10', '0:10-15'])
})

test('brokers without topic ids and with an older metadata version are read too', async () => {
  const { world, assign, ranges, slices } = await fetching({ metadataVersion: 8 })
  world.topic.leaders = [{ node: 1, epoch: 2 }]
  world.fetch = log(7)
  assign({ partition: 0, position: 0 })
  await until(() => ranges().length === 3)
  expect(slices[0]).toMatchObject({ topicId: undefined, leaderEpoch: 2 })
})

test('an answer larger than asked for is taken whole, and counted', async () => {
  const budget = new ByteBudget(1_024 * 1_024)
  const { world, assign, slices, tell } = await fetching({ keep: true, budget, maxBytes: 65_536 })
  world.topic.leaders = [{ node: 0, epoch: 0 }]
  const large = batchAt(0, 1, 0, 400_000)
  world.fetch = ({ partitions }) =>
    partitions[0]?.fetchOffset === 0 ? { partitions: [{ partition: 0, recordSet: large }] } : undefined
  assign({ partition: 0, position: 0 })
  await until(() => slices.length === 1)
  expect(slices[0]?.recordSet.equals(large)).toBe(true)
  tell({ type: 'pause' })
  await until(() => budget.usedBytes < 402_000)
  expect(budget.usedBytes).toBeGreaterThan(400_000)
  slices[0]?.lease.release()
  expect(budget.usedBytes).toBe(0)
})

test('without credits nothing is asked for, with credits it goes on', async () => {
  const budget = new ByteBudget(100_000)
  const { world, assign, slices } = await fetching({ keep: true, budget, maxBytes: 65_536 })
  world.topic.leaders = [{ node: 0, epoch: 0 }]
  world.fetch = ({ partitions }) => {
    const from = partitions[0]?.fetchOffset ?? 0
    return { partitions: [{ partition: 0, recordSet: batchAt(from, 1, 0, 40_000) }] }
  }
  assign({ partition: 0, position: 0 })
  await until(() => slices.length === 1)
  const asked = world.asked.length
  await new Promise((resolve) => setImmediate(resolve))
  expect(world.asked.length).toBe(asked)
  slices[0]?.lease.release()
  await until(() => slices.length === 2)
})

test('who has too many slices unreleased is left out until one is, and nobody else waits for it', async () => {
  const { world, assign, slices, ranges } = await fetching({ keep: true, heldMax: 2 })
  world.topic.leaders = [
    { node: 0, epoch: 0 },
    { node: 0, epoch: 0 }
  ]
  world.fetch = log(7)
  assign({ partition: 0, position: 0 }, { partition: 1, position: 0 })
  await until(() => ranges().length === 4)
  const release = (partition: number) =>
    slices.find((slice) => slice.partition === partition && slice.lease.bytes > 0)?.lease.release()
  const asked = world.asked.length
  await new Promise((resolve) => setImmediate(resolve))
  expect(world.asked.length, 'nobody is left to ask for').toBe(asked)
  expect(ranges(), 'two of each').toHaveLength(4)
  release(1)
  await until(() => ranges().length === 5)
  expect(ranges().at(-1)).toBe('1:10-15')
  release(0)
  await until(() => ranges().length === 6)
  expect(ranges().at(-1)).toBe('0:10-15')
})

test('a cut last batch is left for the next fetch', async () => {
  const { world, assign, slices, ranges } = await fetching()
  world.topic.leaders = [{ node: 0, epoch: 0 }]
  const cut = Buffer.concat([batchAt(0, 5), batchAt(5, 5).subarray(0, 40)])
  const answer = log(7)
  world.fetch = (asked) =>
    asked.partitions[0]?.fetchOffset === 0
      ? { partitions: [{ partition: 0, recordSet: cut }] }
      : answer(asked)
  assign({ partition: 0, position: 0 })
  await until(() => ranges().length === 3)
  expect(slices[0]?.recordSet.length).toBe(batchAt(0, 5).length)
  expect(ranges()).toEqual(['0:0-5', '0:5-10', '0:10-15'])
})

test('stop ends the task and gives back every byte', async () => {
  const { world, assign, tell, budget, ranges, end } = await fetching()
  world.topic.leaders = [{ node: 0, epoch: 0 }]
  world.fetch = log(7)
  assign({ partition: 0, position: 0 })
  await until(() => ranges().length === 3)
  tell({ type: 'stop' })
  await until(() => end() === 'done')
  expect(budget.usedBytes).toBe(0)
})
