import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { S3Store } from '../../../src/actors/s3/store.ts'
import { startObjectStore } from '../../../src/embedded/object-store/object-store.ts'
import { storeConformance } from '../../conformance/store.ts'

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }

for (const repeatedComplete of ['NoSuchUpload', 'same-result'] as const) {
  storeConformance(`embedded object store (a repeated completion is ${repeatedComplete})`, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'causeway-s3-'))
    const region = 'us-east-1'
    const s3 = await startObjectStore({
      dataDir,
      region,
      ...credentials,
      buckets: ['lake'],
      repeatedComplete
    })
    const options = {
      bucket: 'lake',
      prefix: 'road',
      region,
      endpoint: s3.endpoint,
      pathStyle: true,
      credentials
    }
    const [store, other] = [new S3Store(options), new S3Store(options)]
    return {
      store,
      other,
      faults: s3.faults,
      subjects: { create: /^PUT [^?]*$/, prepare: /^PUT .*partNumber/, publish: /^POST .*uploadId/ },
      keepsMetadata: true,
      stop: async () => {
        store.close()
        other.close()
        await s3.stop()
        await rm(dataDir, { recursive: true })
      }
    }
  })
}
