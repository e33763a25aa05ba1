import { join } from 'node:path'
import { deadLetterTopic, demoNames } from './config.ts'
import { writePrivate } from './files.ts'
import type { DemoServices } from './services.ts'

/**
 * Where everything of a running demo is, and with which credentials: the content of `<data-dir>/endpoints.json`, so that
 * anyone's client can look inside. The file is readable by its owner only.
 */
export interface Endpoints {
  /** The page, metrics and health of the worker. */
  readonly http: { readonly url: string }
  readonly source: KafkaEndpoint
  readonly target: KafkaEndpoint
  /** On the source cluster. */
  readonly deadLetters: { readonly topic: string }
  readonly hdfs: {
    /** WebHDFS. */
    readonly url: string
    readonly user: string
    /** Absolute directory of the published files. */
    readonly data: string
  }
  readonly s3: {
    readonly endpoint: string
    readonly region: string
    readonly bucket: string
    /** Key prefix of the published files. */
    readonly data: string
    readonly accessKeyId: string
    readonly secretAccessKey: string
  }
  readonly warehouse: { readonly url: string; readonly schema: string; readonly table: string }
  /** Absent with `--input`. */
  readonly eventStream?: { readonly url: string; readonly token: string }
}

export interface KafkaEndpoint {
  readonly brokers: readonly string[]
  readonly topic: string
}

/** Writes `<data-dir>/endpoints.json`, whole or not at all. */
export function writeEndpoints(dataDir: string, services: DemoServices, httpUrl: string): void {
  const { source, target, hdfsUrl, s3, warehouseUrl, eventStream } = services
  const { topic, hdfsPath, hdfsUser, region, bucket, schema, table } = demoNames
  const endpoints: Endpoints = {
    http: { url: httpUrl },
    source: { brokers: source, topic },
    target: { brokers: target, topic },
    deadLetters: { topic: deadLetterTopic },
    hdfs: { url: hdfsUrl, user: hdfsUser, data: `${hdfsPath}/data` },
    s3: { ...s3, region, bucket, data: 'data' },
    warehouse: { url: warehouseUrl, schema, table },
    ...(eventStream && { eventStream })
  }
  writePrivate(join(dataDir, 'endpoints.json'), `${JSON.stringify(endpoints, undefined, 2)}\n`)
}
