import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startBroker } from '../embedded/broker/broker.ts'
import { startEventStream } from '../embedded/event-stream/event-stream.ts'
import { startObjectStore } from '../embedded/object-store/object-store.ts'
import { startWarehouse } from '../embedded/warehouse/warehouse.ts'
import { startWebHdfs } from '../embedded/webhdfs/webhdfs.ts'
import { demoNames } from './config.ts'
import { writePrivate } from './files.ts'
import type { DemoOptions } from './options.ts'

/** The embedded services of one demo, on free loopback ports. */
export interface DemoServices {
  readonly source: readonly string[]
  readonly target: readonly string[]
  readonly hdfsUrl: string
  readonly s3: {
    readonly endpoint: string
    readonly accessKeyId: string
    readonly secretAccessKey: string
  }
  readonly warehouseUrl: string
  /** Absent when the events come from a file. */
  readonly eventStream: { readonly url: string; readonly token: string } | undefined
  /** Whether the generator has handed out its last event; always true for a file. */
  readonly streamFinished: () => boolean
  readonly stop: () => Promise<void>
}

/** The generator's seed: the same events at each start, so that a restarted demo goes on where it stopped. */
export const demoSeed = 20_161_018

/** Starts every service under `dataDir`, or none: when one fails, those already running are stopped. */
export async function startServices(dataDir: string, options: DemoOptions): Promise<DemoServices> {
  const stops: (() => Promise<void>)[] = []
  const stop = async () => {
    const results = await Promise.allSettled(stops.splice(0).map((stopOne) => stopOne()))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
  const running = <S extends { stop(): Promise<void> }>(service: S): S => {
    stops.push(() => service.stop())
    return service
  }
  try {
    return { ...(await startAll(dataDir, options, running)), stop }
  } catch (error) {
    await stop().catch(() => undefined)
    throw error
  }
}

async function startAll(
  dataDir: string,
  options: DemoOptions,
  running: <S extends { stop(): Promise<void> }>(service: S) => S
): Promise<Omit<DemoServices, 'stop'>> {
  const keys = savedCredentials(dataDir)
  const broker = async (name: string) =>
    running(await startBroker({ dataDir: join(dataDir, name), clusterId: `demo-${name}` })).brokers
  const source = options.sourceBrokers ?? (await broker('onprem'))
  const target = options.targetBrokers ?? (await broker('aws'))
  const hdfs = running(await startWebHdfs({ dataDir: join(dataDir, 'hdfs'), superuser: demoNames.hdfsUser }))
  const s3 = running(
    await startObjectStore({
      dataDir: join(dataDir, 's3'),
      accessKeyId: keys.accessKeyId,
      secretAccessKey: keys.secretAccessKey,
      region: demoNames.region,
      buckets: [demoNames.bucket]
    })
  )
  const warehouse = running(
    await startWarehouse({
      dataDir: join(dataDir, 'warehouse'),
      user: 'causeway',
      password: keys.warehousePassword,
      database: 'causeway'
    })
  )
  const stream =
    options.input !== undefined
      ? undefined
      : running(
          await startEventStream({
            dataDir: join(dataDir, 'event-stream'),
            token: keys.streamToken,
            seed: demoSeed,
            events: options.events,
            ...(options.rate === undefined ? {} : { rate: options.rate })
          })
        )
  return {
    source,
    target,
    hdfsUrl: hdfs.url,
    s3: { endpoint: s3.endpoint, accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey },
    warehouseUrl: warehouse.url,
    eventStream: stream && { url: stream.url, token: keys.streamToken },
    streamFinished: () => stream?.finished() ?? true
  }
}

interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly warehousePassword: string
  readonly streamToken: string
}

/** Random credentials, made at the first start and kept, because PostgreSQL remembers its password. */
function savedCredentials(dataDir: string): Credentials {
  const file = join(dataDir, 'secrets', 'credentials.json')
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Credentials
  const credentials: Credentials = {
    accessKeyId: `AK${randomBytes(9).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(24).toString('base64url'),
    warehousePassword: randomBytes(18).toString('base64url'),
    streamToken: randomBytes(18).toString('base64url')
  }
  mkdirSync(join(dataDir, 'secrets'), { recursive: true, mode: 0o700 })
  writePrivate(file, JSON.stringify(credentials))
  return credentials
}
