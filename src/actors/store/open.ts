import type { StoreConfig } from '../../config.ts'
import { createHdfsStore } from '../hdfs/store.ts'
import { createS3Store } from '../s3/store.ts'
import type { Store } from './store.ts'

/** The store that a `[store.NAME]` of the config describes. Opens no connection yet. */
export function openStore(config: StoreConfig): Store {
  return config.type === 'hdfs' ? createHdfsStore(config) : createS3Store(config)
}
