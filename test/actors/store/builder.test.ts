import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { RowDecoder } from '../../../src/actors/rows/decoder.ts'
import { OpenFiles } from '../../../src/actors/store/open-files.ts'
import { Fault } from '../../../src/errors.ts'
import { batchOf, harness, LineDecoder, lineFile, sliceOf, text, turns } from './builder-world.ts'

const HOUR_MS = 3_600_000

test('records become rows by directory, dead letters stand beside them, everything is counted', async () => {
  const h = harness()
  h.begin(0)
  h.append([
    { base: 0, values: ['a', '!b', ['c', HOUR_MS]] },
    { base: 3, values: [null, 'd'] }
  ])
  await h.grewTo(5)
  const chunk = await h.cut()
  expect(chunk).toMatchObject({ from: 0, to: 5, counts: { read: 5, kept: 3, filtered: 0, dead: 2 } })
  expect(
    chunk.files.map(({ kind, directory, records, minEventTimeMs, maxEventTimeMs }) => ({
      kind,
      directory,
      records,
      minEventTimeMs,
      maxEventTimeMs
    }))
  ).toEqual([
    { kind: 'data', directory: 't/dt=1970-01-01/hour=00', records: 2, minEventTimeMs: 0, maxEventTimeMs: 0 },
    {
      kind: 'data',
      directory: 't/dt=1970-01-01/hour=01',
      records: 1,
      minEventTimeMs: HOUR_MS,
      maxEventTimeMs: HOUR_MS
    },
    { kind: 'dead', directory: '', records: 2, minEventTimeMs: 0, maxEventTimeMs: 0 }
  ])
  expect(text(chunk, 'data')).toEqual(['0:a\n4:d\n', '2:c\n'])
  const dead = text(chunk, 'dead')
    .join('')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(dead.map(({ offset, reason }) => [offset, reason])).toEqual([
    [1, 'refused'],
    [3, 'value is null']
  ])
  for (const { parts, sha256 } of chunk.files) {
    expect(createHash('sha256').update(Buffer.concat(parts)).digest('hex')).toBe(sha256)
  }
})

test('markers, aborted batches and what lies before the position are passed over', async () => {
  const h = harness()
  h.begin(2)
  h.append(
    [
      { base: 0, values: ['a', 'b', 'c'] },
      { base: 3, values: ['x', 'y'], producerId: 7 },
      { base: 5, values: ['d'], producerId: 8 },
      { base: 6, values: ['marker'], producerId: 7, control: true },
      { base: 7, values: ['marker'], producerId: 8, control: true },
      { base: 8, values: ['e'], producerId: 7 }
    ],
    [{ producerId: 7, firstOffset: 3 }]
  )
  await h.grewTo(9)
  const chunk = await h.cut()
  expect(chunk).toMatchObject({ from: 2, to: 9, counts: { read: 3, kept: 3 } })
  expect(text(chunk, 'data').join('')).toBe('2:c\n5:d\n8:e\n')
})

test('a range without records is a chunk without files', async () => {
  const h = harness()
  h.begin(0)
  h.append([{ base: 0, values: ['marker'], producerId: 1, control: true }])
  await h.grewTo(1)
  expect(await h.cut()).toMatchObject({ from: 0, to: 1, counts: { read: 0 }, files: [] })
})

test('a full chunk takes nothing in until it is cut, and the next one goes on where it ended', async () => {
  const h = harness({ rotateBytes: 8 })
  h.begin(0)
  h.append([
    { base: 0, values: ['aaa', 'bbb'] },
    { base: 2, values: ['ccc'] },
    { base: 3, values: ['ddd'] }
  ])
  await h.until(() => h.reports.some(({ type }) => type === 'chunk.filled'))
  expect(await h.cut()).toMatchObject({ from: 0, to: 2 })
  await h.until(() => h.reports.filter(({ type }) => type === 'chunk.filled').length === 2)
  expect(await h.cut()).toMatchObject({ from: 2, to: 4 })
})

test('timestamps that leap end the chunk before they open too many files', async () => {
  const h = harness()
  h.begin(0)
  const values = Array.from({ length: 40 }, (_, index) => [`v${index}`, index * HOUR_MS] as const)
  h.append([
    { base: 0, values: values.slice(0, 30), leaderEpoch: 4 },
    { base: 30, values: values.slice(30), leaderEpoch: 5 }
  ])
  await h.until(() => h.reports.some(({ type }) => type === 'chunk.filled'))
  const first = await h.cut()
  // That of its last record: epoch 4 ends before 32, which would look like a log that was truncated.
  expect(first).toMatchObject({ from: 0, to: 32, leaderEpoch: 5 })
  expect(first.files).toHaveLength(32)
  await h.grewTo(40)
  const rest = await h.cut()
  expect(rest).toMatchObject({ from: 32, to: 40, counts: { kept: 8 } })
})

test('credits of slices go back when they are taken in, those of chunks when they are settled', async () => {
  const h = harness()
  h.begin(0)
  h.append([{ base: 0, values: ['x'.repeat(500)] }])
  await h.grewTo(1)
  expect(h.budget.usedBytes).toBe(2 * 503)
  const chunk = await h.cut()
  expect(h.budget.usedBytes).toBe(503)
  h.append([{ base: 1, values: ['y'] }])
  await h.grewTo(2)
  h.send({ type: 'settle', id: chunk.id })
  await h.until(() => h.budget.usedBytes < 503)
  expect(h.budget.usedBytes).toBe(2 * 4)
  h.send({ type: 'halt' })
  await h.until(() => h.budget.usedBytes === 0)
})

test('no credit is kept when the actor is stopped in the middle', async () => {
  const h = harness({ rotateBytes: 4 })
  h.begin(0)
  h.append([
    { base: 0, values: ['aaaa'] },
    { base: 1, values: ['bbbb'] }
  ])
  await h.until(() => h.reports.some(({ type }) => type === 'chunk.filled'))
  await h.cut()
  h.append([{ base: 2, values: ['cccc'] }])
  expect(h.budget.usedBytes).toBeGreaterThan(0)
  h.actor.stop()
  await h.until(() => h.budget.usedBytes === 0)
  expect(h.budget.usedBytes).toBe(0)
})

test('a slice that does not follow the last one is a fault, and nothing of it is kept', async () => {
  const h = harness()
  h.begin(0)
  h.append([{ base: 0, values: ['a'] }])
  h.send({
    type: 'append',
    slice: sliceOf(h.budget, {
      fetchOffset: 5,
      nextOffset: 6,
      recordSet: batchOf({ base: 5, values: ['x'] }),
      aborted: []
    })
  })
  await h.until(() => h.reports.some(({ type }) => type === 'builder.faulted'))
  expect(h.reports.at(-1)).toMatchObject({ fault: { code: 'fetch-out-of-order', retryable: true } })
  expect(h.budget.usedBytes).toBe(0)
})

test('a corrupt batch is a fault and not a skipped one', async () => {
  const h = harness()
  h.begin(0)
  const recordSet = batchOf({ base: 0, values: ['abc'] })
  recordSet[recordSet.length - 2] = 0x7f
  h.send({
    type: 'append',
    slice: sliceOf(h.budget, { fetchOffset: 0, nextOffset: 1, recordSet, aborted: [] })
  })
  await h.until(() => h.reports.some(({ type }) => type === 'builder.faulted'))
  expect(h.reports.at(-1)).toMatchObject({ fault: { code: 'batch-corrupt' } })
})

test('a defect in a decoder fails the actor', async () => {
  const h = harness()
  h.begin(0)
  h.append([{ base: 0, values: ['defect'] }])
  await h.until(() => h.failure() !== undefined)
  expect(h.failure()).toMatchObject({ code: 'unknown', message: 'a defect' })
})

test('what is filtered is counted, and is in no file', async () => {
  const h = harness()
  h.begin(0)
  h.append([{ base: 0, values: ['a', '-b', 'c'] }])
  await h.grewTo(3)
  const chunk = await h.cut()
  expect(chunk).toMatchObject({ from: 0, to: 3, counts: { read: 3, kept: 2, filtered: 1, dead: 0 } })
  expect(text(chunk, 'data')).toEqual(['0:a\n2:c\n'])
})

test('a record that cannot be read yet is waited for, and nothing is lost or repeated', async () => {
  const answer = Promise.withResolvers<void>()
  const h = harness({ decoder: () => new LineDecoder(() => answer.promise) })
  h.begin(0)
  h.append([{ base: 0, values: ['a', '?b', 'c'] }])
  await turns()
  expect(await h.cut()).toMatchObject({ from: 0, to: 1 })
  answer.resolve()
  await h.grewTo(3)
  expect(text(await h.cut(), 'data')).toEqual(['1:?b\n2:c\n'])
})

test('what a decoder needs and cannot have is a fault of the chain, not of the record', async () => {
  const refused = new Fault('registry-unavailable', 'down', { retryable: true })
  const h = harness({ decoder: () => new LineDecoder(() => Promise.reject(refused)) })
  h.begin(0)
  h.append([{ base: 0, values: ['a', '?b'] }])
  await h.until(() => h.reports.some(({ type }) => type === 'builder.faulted'))
  expect(h.reports.at(-1)).toEqual({ type: 'builder.faulted', fault: refused })
  expect(h.budget.usedBytes).toBe(0)
})

test('a chunk that is thrown away while its decoder waits leaves no fault behind', async () => {
  const answer = Promise.withResolvers<void>()
  const h = harness({ decoder: () => new LineDecoder(() => answer.promise) })
  h.begin(0)
  h.append([{ base: 0, values: ['?a'] }])
  await turns()
  h.begin(7)
  answer.reject(new Fault('registry-unavailable', 'down', { retryable: true }))
  h.append([{ base: 7, values: ['b'] }])
  await h.grewTo(8)
  expect(text(await h.cut(), 'data')).toEqual(['7:b\n'])
  expect(h.reports.map(({ type }) => type)).not.toContain('builder.faulted')
})

test('a chunk has at most so many records, and the next one begins in the middle of a batch', async () => {
  const h = harness({ rotateRecords: 3 })
  h.begin(0)
  h.append([
    { base: 0, values: ['a', '-', '!b'] },
    { base: 3, values: ['c', 'd', '-', 'e', 'f', 'g'] }
  ])
  const filled = () => h.reports.filter(({ type }) => type === 'chunk.filled').length
  await h.until(() => filled() === 1)
  expect(await h.cut()).toMatchObject({ from: 0, to: 4, counts: { read: 4, kept: 2, filtered: 1, dead: 1 } })
  await h.until(() => filled() === 2)
  expect(await h.cut()).toMatchObject({ from: 4, to: 8, counts: { read: 4, kept: 3, filtered: 1, dead: 0 } })
  await h.grewTo(9)
  expect(text(await h.cut(), 'data')).toEqual(['8:g\n'])
})

test('rows of other columns are a chunk of their own', async () => {
  class ChangingDecoder extends LineDecoder {
    override get columns(): RowDecoder['columns'] {
      return this.value().includes('new') ? changed : unchanged
    }
  }
  const column = { name: 'line', type: 'string', nullable: false } as const
  const [unchanged, changed] = [[column], [{ ...column, nullable: true }]]
  const opened: unknown[] = []
  const file = (columns: unknown) => {
    opened.push(columns)
    return lineFile()
  }
  const h = harness({ decoder: () => new ChangingDecoder(), file })
  h.begin(0)
  h.append([{ base: 0, values: ['a', ['b', HOUR_MS], 'new', '!', 'new'] }])
  await h.until(() => h.reports.some(({ type }) => type === 'chunk.filled'))
  expect(await h.cut()).toMatchObject({ from: 0, to: 2 })
  await h.grewTo(5)
  expect(await h.cut()).toMatchObject({ from: 2, to: 5, counts: { kept: 2, dead: 1 } })
  expect(opened.map((columns) => columns === changed)).toEqual([false, false, true])
})

test('open files are counted while they grow, and those over the limit are told', async () => {
  const openFiles = new OpenFiles(2)
  const told: number[] = []
  openFiles.onExceeded((open) => told.push(open))
  const h = harness({ openFiles })
  h.begin(0)
  h.append([{ base: 0, values: ['a', ['b', HOUR_MS]] }])
  await h.grewTo(2)
  expect([openFiles.open, told]).toEqual([2, []])
  h.append([{ base: 2, values: [['c', 2 * HOUR_MS]] }])
  await h.grewTo(3)
  expect([openFiles.open, told]).toEqual([3, [3]])
  await h.cut()
  expect(openFiles.open).toBe(0)
  h.append([{ base: 3, values: ['d'] }])
  await h.grewTo(4)
  expect(openFiles.open).toBe(1)
  h.actor.stop()
  expect(openFiles.open).toBe(0)
})

test('one dead letter too many is a fault that nothing of the chunk survives, until reading begins anew', async () => {
  const h = harness({ deadLetters: { max: 1, among: 3 } })
  h.begin(0)
  h.append([{ base: 0, values: ['!', 'a', 'b', '!', 'c', '!', 'd'] }])
  await h.until(() => h.reports.some(({ type }) => type === 'builder.faulted'))
  expect(h.reports).toMatchObject([
    { type: 'builder.faulted', fault: { code: 'dead-letters-exceeded', retryable: false } }
  ])
  expect(h.budget.usedBytes).toBe(0)
  h.begin(4)
  h.append([{ base: 0, values: ['!', 'a', 'b', '!', 'c', '!', 'd'] }])
  await h.until(() => h.reports.some(({ type }) => type === 'chunk.grew'))
  expect(await h.cut()).toMatchObject({ from: 4, to: 7, counts: { kept: 2, dead: 1 } })
})
