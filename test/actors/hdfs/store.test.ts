import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HdfsStore } from '../../../src/actors/hdfs/store.ts'
import { startWebHdfs } from '../../../src/embedded/webhdfs/webhdfs.ts'
import { storeConformance } from '../../conformance/store.ts'

storeConformance('embedded WebHDFS', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'causeway-hdfs-'))
  const hdfs = await startWebHdfs({ dataDir, superuser: 'causeway' })
  const open = () => new HdfsStore({ namenodes: [hdfs.url], path: '/lake', user: 'causeway' })
  const [store, other] = [open(), open()]
  return {
    store,
    other,
    faults: hdfs.faults,
    subjects: { create: /^RENAME /, prepare: /^DATA CREATE /, publish: /^RENAME / },
    keepsMetadata: false,
    stop: async () => {
      store.close()
      other.close()
      await hdfs.stop()
      await rm(dataDir, { recursive: true })
    }
  }
})
