import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { demoNames } from '../../../src/demo/config.ts'
import type { DemoServices } from '../../../src/demo/services.ts'
import { startWarehouse } from '../../../src/embedded/warehouse/warehouse.ts'
import { type RealHdfs, startHdfs } from '../../real/hdfs.ts'
import { type RealKafka, startKafka } from '../../real/kafka.ts'
import { type RealS3, startMinio } from '../../real/minio.ts'
import { httpFraming, tcpFraming } from '../../tools/framing.ts'
import { TcpProxy } from '../../tools/proxy.ts'
import { Feed } from './feed.ts'

/** What stands between the worker and each service. */
export interface Proxies {
  readonly source: TcpProxy
  readonly target: TcpProxy
  /** The NameNode; it sends clients straight to the DataNode. */
  readonly hdfs: TcpProxy
  readonly s3: TcpProxy
  readonly warehouse: TcpProxy
  readonly stream: TcpProxy
}

/** Apache Kafka twice, HDFS, MinIO, PostgreSQL and an event stream, as one worker sees them. */
export interface SoakServices {
  readonly source: RealKafka
  readonly target: RealKafka
  readonly hdfs: RealHdfs
  readonly s3: RealS3
  readonly feed: Feed
  readonly proxies: Proxies
  /** Through the proxies: for the worker. */
  readonly forWorker: DemoServices
  /** Past the proxies: for readers. */
  readonly forReaders: DemoServices
  readonly stop: () => Promise<void>
}

/** Starts everything below `directory`; what has started is stopped when something else does not. */
export async function startSoakServices(directory: string, rate: number): Promise<SoakServices> {
  const stops: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each()
  }
  const running = <S extends { stop(): Promise<unknown> }>(service: S): S => {
    stops.push(() => service.stop())
    return service
  }
  try {
    return { ...(await startAll(directory, rate, running)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startAll(
  directory: string,
  rate: number,
  running: <S extends { stop(): Promise<unknown> }>(service: S) => S
): Promise<Omit<SoakServices, 'stop'>> {
  const kafka = async () => running(await startKafka({}, { proxied: true }))
  const [source, target] = await Promise.all([kafka(), kafka()])
  const hdfs = running(await startHdfs({ superuser: demoNames.hdfsUser }))
  const s3 = running(
    await startMinio({
      accessKeyId: `AK${randomBytes(8).toString('hex')}`,
      secretAccessKey: randomBytes(16).toString('hex')
    })
  )
  await s3.createBucket(demoNames.bucket)
  mkdirSync(join(directory, 'warehouse'), { recursive: true })
  const password = randomBytes(12).toString('hex')
  const warehouse = running(
    await startWarehouse({
      dataDir: join(directory, 'warehouse'),
      user: 'causeway',
      password,
      database: 'causeway'
    })
  )
  const feed = running(await Feed.start(directory, rate, randomBytes(12).toString('hex')))
  const http = async (url: string) => running(await TcpProxy.start({ ...placeOf(url), framing: httpFraming }))
  const proxies: Proxies = {
    source: proxyOf(source),
    target: proxyOf(target),
    hdfs: await http(hdfs.nameNode.url),
    s3: await http(s3.endpoint),
    warehouse: running(await TcpProxy.start({ ...placeOf(warehouse.url), framing: tcpFraming })),
    stream: await http(`http://127.0.0.1:${feed.port}`)
  }
  const { endpoint, accessKeyId, secretAccessKey } = s3
  const forReaders: DemoServices = {
    source: source.direct,
    target: target.direct,
    hdfsUrl: hdfs.nameNode.url,
    s3: { endpoint, accessKeyId, secretAccessKey },
    warehouseUrl: warehouse.url,
    eventStream: { url: `http://127.0.0.1:${feed.port}`, token: feed.token },
    streamFinished: () => false,
    stop: async () => {}
  }
  const forWorker: DemoServices = {
    ...forReaders,
    source: source.brokers,
    target: target.brokers,
    hdfsUrl: `http://${proxies.hdfs.address}`,
    s3: { ...forReaders.s3, endpoint: `http://${proxies.s3.address}` },
    warehouseUrl: warehouse.url.replace(/127\.0\.0\.1:\d+/, proxies.warehouse.address),
    eventStream: { url: `http://${proxies.stream.address}`, token: feed.token }
  }
  return { source, target, hdfs, s3, feed, proxies, forWorker, forReaders }
}

function proxyOf({ node }: RealKafka): TcpProxy {
  if (node.proxy === undefined) throw new Error('the broker has no proxy')
  return node.proxy
}

/** Host and port in `host:port` or a URL. */
function placeOf(address = ''): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /([\d.]+):(\d+)/.exec(address) ?? []
  return { host, port: Number(port) }
}
