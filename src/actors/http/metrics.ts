import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { RoleStatus, WorkerView } from '../../worker/view.ts'
import { unreadiness } from '../../worker/view.ts'

const FLOWS = ['flowing', 'throttled', 'paused'] as const
const ROLE = ['role', 'instance'] as const
const PARTITION = [...ROLE, 'topic', 'partition'] as const

/**
 * The worker in the words of Prometheus. Nothing is counted here: each scrape reads the machines' own snapshots, so that
 * metrics, page and health can never disagree.
 */
export class Metrics {
  readonly contentType: string
  readonly #registry = new Registry()
  readonly #counters = new Map<string, Counter>()
  readonly #gauges = gaugesIn(this.#registry)
  readonly #restarts: Counter

  constructor() {
    this.contentType = this.#registry.contentType
    collectDefaultMetrics({ register: this.#registry })
    this.#restarts = this.#counter('causeway_role_restarts_total', 'Restarts of the role after a fault.')
  }

  /** The exposition text of this moment. */
  async render(view: WorkerView): Promise<string> {
    const gauges = this.#gauges
    for (const gauge of Object.values(gauges)) gauge.reset()
    for (const counter of this.#counters.values()) counter.reset()
    gauges.info.set({ version: view.version, worker: view.workerId, name: view.name }, 1)
    gauges.ready.set(unreadiness(view).length === 0 ? 1 : 0)
    gauges.state.set({ state: view.state }, 1)
    gauges.limit.set(view.memory.limitBytes)
    gauges.used.set(view.memory.usedBytes)
    for (const role of view.roles) this.#role(role)
    return this.#registry.metrics()
  }

  #role(status: RoleStatus): void {
    const gauges = this.#gauges
    const labels = { role: status.role, instance: status.instance }
    gauges.roleReady.set(labels, status.ready ? 1 : 0)
    gauges.roleState.set({ ...labels, state: status.state }, 1)
    gauges.roleLimit.set(labels, status.budget.limitBytes)
    gauges.roleUsed.set(labels, status.budget.usedBytes)
    for (const flow of FLOWS) gauges.roleFlow.set({ ...labels, flow }, flow === status.flow ? 1 : 0)
    this.#restarts.inc(labels, status.restarts)
    for (const [name, value] of Object.entries(status.counters)) {
      this.#counter(metricNameOf(name), `Sum of ${name} since the worker's start.`).inc(labels, value)
    }
    const states = new Map<string, number>()
    let [records, oldestMs] = [0, -1]
    for (const {
      topic,
      partition,
      state,
      position,
      end,
      highWatermark = -1,
      lagMs = -1
    } of status.partitions) {
      const place = { ...labels, topic, partition: String(partition) }
      // Below zero means not yet known.
      if (position >= 0) gauges.position.set(place, position)
      if (end >= 0) gauges.end.set(place, end)
      if (highWatermark >= 0) gauges.highWatermark.set(place, highWatermark)
      if (position >= 0 && end >= 0) gauges.lag.set(place, Math.max(0, end - position))
      if (position >= 0 && end >= 0) records += Math.max(0, end - position)
      if (lagMs >= 0) gauges.lagSeconds.set(place, lagMs / 1_000)
      oldestMs = Math.max(oldestMs, lagMs)
      states.set(state, (states.get(state) ?? 0) + 1)
    }
    gauges.roleLag.set(labels, records)
    if (status.filesOpen !== undefined) gauges.filesOpen.set(labels, status.filesOpen)
    if (oldestMs >= 0) gauges.roleLagSeconds.set(labels, oldestMs / 1_000)
    for (const [state, count] of Object.entries(status.shards ?? {})) {
      gauges.shards.set({ ...labels, state }, count)
    }
    for (const [state, count] of states) gauges.partitions.set({ ...labels, state }, count)
  }

  #counter(name: string, help: string): Counter {
    const known = this.#counters.get(name)
    if (known !== undefined) return known
    const counter = new Counter({ name, help, labelNames: [...ROLE], registers: [this.#registry] })
    this.#counters.set(name, counter)
    return counter
  }
}

/** `recordsRead` is `causeway_records_read_total`. */
export function metricNameOf(counter: string): string {
  const words = counter.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').replaceAll(/[^A-Za-z0-9]+/g, '_')
  return `causeway_${words.toLowerCase()}_total`
}

function gaugesIn(registry: Registry) {
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name: `causeway_${name}`, help, labelNames: [...labelNames], registers: [registry] })
  return {
    info: gauge('info', 'Which worker this is.', ['version', 'worker', 'name']),
    ready: gauge('ready', '1 when every role is ready.'),
    state: gauge('worker_state', '1 for the state of the worker.', ['state']),
    limit: gauge('memory_limit_bytes', 'Bytes of events that may be held.'),
    used: gauge('memory_used_bytes', 'Bytes of events that are held.'),
    roleReady: gauge('role_ready', '1 when the role is ready.', ROLE),
    roleState: gauge('role_state', '1 for the state of the role.', [...ROLE, 'state']),
    roleFlow: gauge('role_flow', '1 for the backpressure state of the role.', [...ROLE, 'flow']),
    roleLimit: gauge('role_memory_limit_bytes', "The role's share of the byte budget.", ROLE),
    roleUsed: gauge('role_memory_used_bytes', 'Bytes that the role holds.', ROLE),
    partitions: gauge('role_partitions', 'Partitions of the role by state.', [...ROLE, 'state']),
    filesOpen: gauge('role_files_open', 'Data files that are being written.', ROLE),
    shards: gauge('role_shards', 'Shards of the role by state.', [...ROLE, 'state']),
    position: gauge('partition_position', 'Next offset to read, as durably known.', PARTITION),
    end: gauge('partition_end_offset', 'End offset as last seen.', PARTITION),
    highWatermark: gauge(
      'partition_high_watermark',
      'End of the log, open transactions included.',
      PARTITION
    ),
    lag: gauge('partition_lag', 'Records between position and end.', PARTITION),
    lagSeconds: gauge(
      'partition_lag_seconds',
      'Age of the oldest record between them; 0 if none.',
      PARTITION
    ),
    roleLag: gauge('role_lag', 'Records between position and end, over all partitions.', ROLE),
    roleLagSeconds: gauge('role_lag_seconds', 'The greatest age of such a record.', ROLE)
  }
}
