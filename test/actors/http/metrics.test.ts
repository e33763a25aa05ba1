import { expect, test } from 'vitest'
import { Metrics, metricNameOf } from '../../../src/actors/http/metrics.ts'
import { roleStatus, workerView } from '../../support/worker-view.ts'

const linesOf = async (metrics: Metrics, view = workerView()) =>
  (await metrics.render(view)).split('\n').filter((line) => line.startsWith('causeway_'))

test('every number of the views is a sample', async () => {
  const lines = await linesOf(new Metrics())
  const of = 'role="mirror",instance="cloud"'
  const place = `${of},topic="hybrid",partition="3"`
  expect(lines).toEqual(
    expect.arrayContaining([
      'causeway_info{version="1.2.3",worker="abcdef",name="hybrid"} 1',
      'causeway_ready 1',
      'causeway_worker_state{state="running"} 1',
      'causeway_memory_limit_bytes 1000',
      'causeway_memory_used_bytes 100',
      `causeway_role_ready{${of}} 1`,
      `causeway_role_state{${of},state="running.copying"} 1`,
      `causeway_role_flow{${of},flow="flowing"} 1`,
      `causeway_role_flow{${of},flow="paused"} 0`,
      `causeway_role_restarts_total{${of}} 0`,
      `causeway_role_partitions{${of},state="copying"} 1`,
      `causeway_role_shards{${of},state="copying"} 31`,
      `causeway_role_shards{${of},state="fencing"} 1`,
      `causeway_partition_position{${place}} 90`,
      `causeway_partition_end_offset{${place}} 100`,
      `causeway_partition_lag{${place}} 10`,
      `causeway_partition_lag_seconds{${place}} 2.5`,
      `causeway_partition_high_watermark{${place}} 104`,
      `causeway_role_lag{${of}} 10`,
      `causeway_role_lag_seconds{${of}} 2.5`,
      `causeway_records_read_total{${of}} 100`,
      `causeway_transactions_committed_total{${of}} 7`
    ])
  )
})

test('the process is measured too', async () => {
  expect(await new Metrics().render(workerView())).toContain('process_resident_memory_bytes')
})

test('what is over leaves no sample behind, and counters are totals, not sums of scrapes', async () => {
  const metrics = new Metrics()
  await linesOf(metrics)
  const partitions = [{ topic: 'hybrid', partition: 4, state: 'held', position: 5, end: -1 }]
  const lines = await linesOf(metrics, workerView({ state: 'draining', roles: [roleStatus({ partitions })] }))
  const text = lines.join('\n')
  expect(text).not.toContain('partition="3"')
  expect(text).not.toContain('state="running"')
  expect(text).toMatch(/causeway_partition_position\{.*partition="4"\} 5/)
  expect(text).not.toMatch(/causeway_partition_(lag|end_offset)\{/)
  expect(text).toMatch(/causeway_records_read_total\{.*\} 100/)
})

test.each([
  ['recordsRead', 'causeway_records_read_total'],
  ['invalidUtf8Replaced', 'causeway_invalid_utf8_replaced_total'],
  ['dead-letters', 'causeway_dead_letters_total']
])('%s is %s', (counter, metric) => {
  expect(metricNameOf(counter)).toBe(metric)
})

test('a position that is not yet known is no sample, and neither is its lag', async () => {
  const partitions = [{ topic: 'hybrid', partition: 4, state: 'opening', position: -1, end: 7 }]
  const text = (await linesOf(new Metrics(), workerView({ roles: [roleStatus({ partitions })] }))).join('\n')
  expect(text).not.toMatch(/causeway_partition_(lag|lag_seconds|high_watermark|position)\{/)
  expect(text).not.toMatch(/causeway_role_lag_seconds\{/)
  expect(text).toMatch(/causeway_partition_end_offset\{.*\} 7/)
})

test('the lag of a role is that of all its partitions, and the oldest of their ages', async () => {
  const one = { topic: 'hybrid', state: 'copying' }
  const partitions = [
    { ...one, partition: 0, position: 5, end: 9, lagMs: 1_000 },
    { ...one, partition: 1, position: 5, end: 6, lagMs: 61_000 },
    { ...one, partition: 2, position: 5, end: 5, lagMs: 0 }
  ]
  const text = (await linesOf(new Metrics(), workerView({ roles: [roleStatus({ partitions })] }))).join('\n')
  expect(text).toMatch(/causeway_role_lag\{.*\} 5$/m)
  expect(text).toMatch(/causeway_role_lag_seconds\{.*\} 61$/m)
})
