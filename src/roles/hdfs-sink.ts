import { createHdfsStore } from '../actors/hdfs/store.ts'
import { hiveTable } from '../actors/hive/table.ts'
import { sinkColumns } from '../actors/rows/open.ts'
import { Fault } from '../errors.ts'
import type { Role, RoleContext } from './role.ts'
import { createSink } from './sink.ts'

/** Kafka → Parquet files on HDFS: immutable raw data, which Hive shows in an external table. See `sink.ts`. */
export function createHdfsSink(context: RoleContext, instance: string): Role {
  const config = context.config.hdfsSinks[instance]
  const store = config && context.config.stores[config.store]
  if (!config || store?.type !== 'hdfs') {
    throw new Fault('config-invalid', `[hdfs_sink.${instance}] names no store of type "hdfs"`)
  }
  const sink = `${context.config.name}.${instance}`
  const { hive, template } = config
  const table = hive && hiveTable({ hive, sink, template, columns: sinkColumns(config), store })
  return createSink(context, {
    ...{ role: 'hdfs-sink', instance, config, store: createHdfsStore(store) },
    ...(hive && table && { hive: { config: hive, table } })
  })
}
