import { storeConformance } from '../conformance/store.ts'
import { MemoryFiles, MemoryStore } from './memory-store.ts'

storeConformance('memory', async () => {
  const files = new MemoryFiles()
  files.nowMs = Date.now()
  const store = new MemoryStore(files)
  return {
    store,
    other: new MemoryStore(files),
    faults: store.faults,
    subjects: { create: /^create /, prepare: /^prepare /, publish: /^publish / },
    keepsMetadata: true,
    stop: async () => {}
  }
})
