import { S3Store } from '../../src/actors/s3/store.ts'
import type { StoreUnderTest } from '../conformance/store.ts'
import { httpFraming } from '../tools/framing.ts'
import { TcpProxy } from '../tools/proxy.ts'
import { ProxyFaults } from './hdfs-store.ts'
import type { RealS3 } from './s3.ts'

/** An object store as a store, behind a proxy that plays the faults. */
export async function startS3Store(starting: Promise<RealS3>): Promise<StoreUnderTest> {
  const s3 = await starting
  await s3.createBucket('lake')
  const { accessKeyId, secretAccessKey, region } = s3
  const proxy = await TcpProxy.start({ port: Number(new URL(s3.endpoint).port), framing: httpFraming })
  const place = {
    bucket: 'lake',
    prefix: 'road',
    endpoint: `http://${proxy.address}`,
    region,
    pathStyle: true
  }
  const open = () => new S3Store({ ...place, credentials: { accessKeyId, secretAccessKey } })
  const [store, other] = [open(), open()]
  return {
    ...{ store, other, faults: new ProxyFaults(proxy), keepsMetadata: true },
    subjects: {
      create: /^PUT (?!.*\/staging\/).*x-id=PutObject/,
      prepare: /^PUT (.*partNumber|.*\/staging\/)/,
      publish: /^POST (?!.*\/staging\/).*uploadId|^PUT .*x-id=CopyObject/
    },
    stop: async () => {
      store.close()
      other.close()
      await proxy.stop()
      await s3.stop()
    }
  }
}
