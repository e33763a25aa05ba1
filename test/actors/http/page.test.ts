import { expect, test } from 'vitest'
import { drawRoad } from '../../../src/actors/http/road.ts'
import type { PartitionView } from '../../../src/roles/role.ts'
import type { RoleStatus } from '../../../src/worker/view.ts'
import { roadConfig, roleStatus, workerView } from '../../support/worker-view.ts'
import { showPage } from './page-document.ts'

const part = (partition: number, more: Partial<PartitionView> = {}): PartitionView => ({
  topic: 'orders',
  partition,
  state: 'copying',
  position: 1_000,
  end: 1_000,
  lagMs: 0,
  ...more
})

async function show(role: Partial<RoleStatus>, rates: Record<string, number> = {}, unready: string[] = []) {
  const view = workerView({ roles: [roleStatus(role)] })
  const road = drawRoad(roadConfig())
  return showPage({ ...view, unready, rates: { 'mirror.cloud': rates }, road })
}

test('the card of a mirror tells how far behind it is, how fast, and which way batches went', async () => {
  const counters = { batchesPassed: 75, batchesMerged: 25, batchesDecoded: 0, batchesRecompressed: 7 }
  const partitions = [part(0, { end: 1_250, lagMs: 7_200_000 }), part(1, { end: 1_001, lagMs: 30 })]
  const find = await show(
    { partitions, counters: { ...counters, transactionsCommitted: 12 } },
    { recordsWritten: 2_500, bytesWritten: 2 ** 21 }
  )
  const [card] = find('roles').children
  const told = (name: string) => card?.withClass(name)[0]?.textContent
  expect(told('lead')).toBe(
    '251 records behind 2 h oldest of them 2.5K records/s 2.0 MiB per second 12 transactions'
  )
  expect(card?.withClass('paths')[0]?.children.map(({ style }) => style.width)).toEqual(['75%', '25%', '0%'])
  expect(told('legend')).toContain('7 recompressed by the target')
  expect(told('states')).toBe('2 copying')
  expect(told('facts')).toContain('31 shards copying')
})

test('the worst partitions come first, with their reasons, and only so many are shown', async () => {
  const many = Array.from({ length: 500 }, (_, n) => part(n, { end: 1_003, lagMs: n % 7 }))
  const late = part(700, { end: 9_000, lagMs: 600_000 })
  const stuck = part(800, { state: 'source-lso-stuck', lagMs: 900_000, reason: 'producer 7 …' })
  const waiting = part(900, { state: 'restoring' })
  const find = await show({ partitions: [...many, waiting, late, stuck] })
  const [card] = find('roles').children
  const body = card?.withTag('tbody')[0]
  const rows = body?.children.map(({ textContent }) => textContent) ?? []
  expect(rows.slice(0, 5)).toEqual([
    'orders 800 source-lso-stuck 1,000 0 15 min',
    'producer 7 …',
    'orders 900 restoring 1,000 0',
    'orders 700 copying 1,000 8,000 10 min',
    'orders 0 copying 1,000 3'
  ])
  expect(rows.length).toBe(201)
  expect(card?.withTag('summary')[0]?.textContent).toBe('503 partitions, the worst 200 shown')
  expect(body?.withClass('bad').length).toBe(2)
})

test('what keeps the worker from being ready is told line by line', async () => {
  const find = await show({}, {}, ['mirror.cloud: a-0 is held: no room', 'mirror.cloud: b-1 is restoring'])
  expect(find('state').textContent).toBe('not ready')
  expect(find('why').textContent.split('\n')).toEqual([
    'mirror.cloud: a-0 is held: no room',
    'mirror.cloud: b-1 is restoring'
  ])
})
