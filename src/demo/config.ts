import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { writePrivate } from './files.ts'
import type { DemoServices } from './services.ts'

/** Names that the demo's config, its endpoints and its verification share. */
export const demoNames = {
  name: 'demo',
  topic: 'hybrid',
  ingest: 'tweets',
  mirror: 'cloud',
  hdfsSink: 'raw',
  s3Sink: 'crucial',
  loader: 'tweets',
  hdfsPath: '/causeway',
  hdfsUser: 'causeway',
  bucket: 'crucial',
  region: 'us-east-1',
  schema: 'public',
  table: 'tweets',
  partitions: 4,
  keywords: ['hadoop', 'big data', 'kafka', 'cloud']
} as const

export const deadLetterTopic = `${demoNames.name}.ingest.${demoNames.ingest}.dead.internal`

interface ConfigOptions {
  readonly dataDir: string
  readonly port: number
  readonly input: string | undefined
  readonly services: DemoServices
}

/**
 * Writes `<data-dir>/demo.toml` and the secrets it refers to, and returns its path. The demo goes through the same file,
 * the same checks and the same secret references as an operator's worker.
 */
export function writeDemoConfig(options: ConfigOptions): string {
  const { dataDir, services } = options
  const secrets = join(dataDir, 'secrets')
  mkdirSync(secrets, { recursive: true, mode: 0o700 })
  const secret = (name: string, value: string) => {
    const file = join(secrets, name)
    writePrivate(file, value)
    return text(`\${file:${file}}`)
  }
  const file = join(dataDir, 'demo.toml')
  writePrivate(file, demoToml(options, secret, services))
  return file
}

function demoToml(
  { dataDir, port, input }: ConfigOptions,
  secret: (name: string, value: string) => string,
  services: DemoServices
): string {
  const { source, target, hdfsUrl, s3, warehouseUrl, eventStream } = services
  const feed =
    eventStream === undefined
      ? `{ type = "file", path = ${text(input ?? '')} }`
      : `{ type = "x", url = ${text(eventStream.url)}, keywords = ${list(demoNames.keywords)}, token = ${secret('event-stream-token', eventStream.token)}, backfill = "5m" }`
  return `# Written by \`causeway demo\` for its embedded services, anew at each start.
name = "${demoNames.name}"
data_dir = ${text(join(dataDir, 'worker'))}
memory_budget = "128MiB"
drain_timeout = "20s"

[log]
level = "warn"

[restart]
backoff_min = "100ms"
backoff_max = "2s"
restarts_max = 50

[http]
listen = "127.0.0.1:${port}"

[cluster.onprem]
brokers = ${list(source)}

[cluster.aws]
brokers = ${list(target)}

[ingest.${demoNames.ingest}]
cluster = "onprem"
topic = "${demoNames.topic}"
partitions = ${demoNames.partitions}
commit_interval = "200ms"
source = ${feed}

[mirror.${demoNames.mirror}]
from = "onprem"
to = "aws"
topics = [".*"]
commit_interval = "200ms"
shards = 4
refresh_interval = "1s"

[store.raw]
type = "hdfs"
namenodes = [${text(hdfsUrl)}]
path = "${demoNames.hdfsPath}"
user = "${demoNames.hdfsUser}"

[store.crucial]
type = "s3"
bucket = "${demoNames.bucket}"
region = "${demoNames.region}"
endpoint = ${text(s3.endpoint)}
path_style = true
access_key_id = ${secret('s3-access-key-id', s3.accessKeyId)}
secret_access_key = ${secret('s3-secret-access-key', s3.secretAccessKey)}

[warehouse.main]
dialect = "postgres"
url = ${secret('warehouse-url', warehouseUrl)}

[hdfs_sink.${demoNames.hdfsSink}]
cluster = "onprem"
topics = ["${demoNames.topic}"]
store = "raw"
rotate_age = "1s"
shards = 4
refresh_interval = "1s"

[s3_sink.${demoNames.s3Sink}]
cluster = "aws"
topics = ["${demoNames.topic}"]
store = "crucial"
rotate_age = "1s"
shards = 4
refresh_interval = "1s"

[redshift_loader.${demoNames.loader}]
from = "s3_sink.${demoNames.s3Sink}"
warehouse = "main"
table = "${demoNames.table}"
poll_interval = "250ms"
`
}

/** A TOML basic string. */
function text(value: string): string {
  return JSON.stringify(value)
}

function list(values: readonly string[]): string {
  return `[${values.map(text).join(', ')}]`
}
