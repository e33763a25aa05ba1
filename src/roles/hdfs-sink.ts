import { createHdfsStore } from '../actors/hdfs/store.ts'
import { Fault } from '../errors.ts'
import type { Role, RoleContext } from './role.ts'
import { createSink } from './sink.ts'

/** Kafka → Parquet files on HDFS: immutable raw data, for Hive's external tables. See `sink.ts`. */
export function createHdfsSink(context: RoleContext, instance: string): Role {
  const config = context.config.hdfsSinks[instance]
  const store = config && context.config.stores[config.store]
  if (!config || store?.type !== 'hdfs') {
    throw new Fault('config-invalid', `[hdfs_sink.${instance}] names no store of type "hdfs"`)
  }
  return createSink(context, { role: 'hdfs-sink', instance, config, store: createHdfsStore(store) })
}
