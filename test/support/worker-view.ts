import { type Config, parseConfig } from '../../src/config.ts'
import type { RoleStatus, WorkerView } from '../../src/worker/view.ts'

/** A config of the whole road, with places that nothing connects to. `more` is further TOML. */
export function roadConfig(more = '', dataDir = '/nowhere'): Config {
  const toml = `
name = "hybrid"
data_dir = ${JSON.stringify(dataDir)}
[cluster.onprem]
brokers = ["kafka:9092"]
[cluster.aws]
brokers = ["msk:9092"]
[store.raw]
type = "hdfs"
namenodes = ["http://nn:9870"]
[store.crucial]
type = "s3"
bucket = "crucial"
[warehouse.main]
url = "\${env:URL}"
[ingest.tweets]
cluster = "onprem"
topic = "hybrid"
source = { type = "file", path = "tweets.ndjson" }
[mirror.cloud]
from = "onprem"
to = "aws"
[hdfs_sink.raw]
cluster = "onprem"
topics = ["hybrid"]
store = "raw"
[s3_sink.crucial]
cluster = "aws"
topics = ["hybrid"]
store = "crucial"
[redshift_loader.tweets]
from = "s3_sink.crucial"
warehouse = "main"
${more}`
  return parseConfig(toml, 'road.toml', {
    variable: (name) => (name === 'TOKEN' ? 'sesame' : 'postgres://u:p@db:5432/events'),
    readText: () => '',
    absolute: (path) => path
  })
}

export function roleStatus(more: Partial<RoleStatus> = {}): RoleStatus {
  return {
    id: 'mirror.cloud',
    role: 'mirror',
    instance: 'cloud',
    supervision: 'running',
    restarts: 0,
    budget: { limitBytes: 1000, usedBytes: 100 },
    state: 'running.copying',
    ready: true,
    flow: 'flowing',
    partitions: [
      {
        topic: 'hybrid',
        partition: 3,
        state: 'copying',
        position: 90,
        end: 100,
        highWatermark: 104,
        lagMs: 2_500
      }
    ],
    shards: { copying: 31, fencing: 1 },
    counters: { recordsRead: 100, transactionsCommitted: 7 },
    notes: [],
    ...more
  }
}

export function workerView(more: Partial<WorkerView> = {}): WorkerView {
  return {
    name: 'hybrid',
    version: '1.2.3',
    workerId: 'abcdef',
    state: 'running',
    startedAt: 1_000_000,
    now: 1_060_000,
    memory: { limitBytes: 1000, usedBytes: 100 },
    roles: [roleStatus()],
    ...more
  }
}
