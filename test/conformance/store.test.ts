import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HdfsStore } from '../../src/actors/hdfs/store.ts'
import { S3Store } from '../../src/actors/s3/store.ts'
import { startObjectStore } from '../../src/embedded/object-store/object-store.ts'
import type { Manners } from '../../src/embedded/object-store/operation.ts'
import { startWebHdfs } from '../../src/embedded/webhdfs/webhdfs.ts'
import { hasHdfs } from '../real/hdfs.ts'
import { startHdfsStore } from '../real/hdfs-store.ts'
import { hasMinio, startMinio } from '../real/minio.ts'
import { hasMoto, startMoto } from '../real/moto.ts'
import { startS3Store } from '../real/s3-store.ts'
import { hasVersitygw, startVersitygw } from '../real/versitygw.ts'
import { tier } from '../tools/tier.ts'
import { type StoreUnderTest, storeConformance } from './store.ts'

storeConformance('embedded WebHDFS', embeddedWebHdfs)
storeConformance('embedded object store', () => embeddedObjectStore({}))
storeConformance('embedded object store like AWS', () =>
  embeddedObjectStore({ repeatedComplete: 'same-result' })
)
storeConformance('embedded object store like MinIO', () => embeddedObjectStore({ server: 'MinIO' }))
if (hasHdfs) storeConformance('HDFS 3.4.3', startHdfsStore)
if (tier === 'real' && hasMinio) storeConformance('MinIO', () => startS3Store(startMinio()))
if (tier === 'real' && hasVersitygw) storeConformance('versitygw', () => startS3Store(startVersitygw()))
if (tier === 'real' && hasMoto) storeConformance('moto', () => startS3Store(startMoto()))

async function embeddedWebHdfs(): Promise<StoreUnderTest> {
  const dataDir = await mkdtemp(join(tmpdir(), 'causeway-hdfs-'))
  const hdfs = await startWebHdfs({ dataDir, superuser: 'causeway' })
  const open = () => new HdfsStore({ namenodes: [hdfs.url], path: '/lake', user: 'causeway' })
  const [store, other] = [open(), open()]
  return {
    ...{ store, other, faults: hdfs.faults, keepsMetadata: false },
    subjects: { create: /^RENAME /, prepare: /^DATA CREATE /, publish: /^RENAME / },
    stop: async () => {
      store.close()
      other.close()
      await hdfs.stop()
      await rm(dataDir, { recursive: true })
    }
  }
}

async function embeddedObjectStore(manners: Partial<Manners>): Promise<StoreUnderTest> {
  const dataDir = await mkdtemp(join(tmpdir(), 'causeway-s3-'))
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
  const region = 'us-east-1'
  const s3 = await startObjectStore({ dataDir, region, ...credentials, buckets: ['lake'], ...manners })
  const place = { bucket: 'lake', prefix: 'road', region, endpoint: s3.endpoint, pathStyle: true }
  const open = () => new S3Store({ ...place, credentials })
  const [store, other] = [open(), open()]
  return {
    ...{ store, other, faults: s3.faults, keepsMetadata: true },
    subjects: {
      create: /^PUT [^?]*\.json$/,
      prepare: /^PUT (.*partNumber|.*\/staging\/)/,
      publish: /^POST .*uploadId|^PUT [^?]*\.parquet$/
    },
    stop: async () => {
      store.close()
      other.close()
      await s3.stop()
      await rm(dataDir, { recursive: true })
    }
  }
}
