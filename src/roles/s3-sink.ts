import { createS3Store } from '../actors/s3/store.ts'
import { Fault } from '../errors.ts'
import type { Role, RoleContext } from './role.ts'
import { createSink } from './sink.ts'

/** Kafka → Parquet files on S3, whose log the redshift-loader follows. See `sink.ts`. */
export function createS3Sink(context: RoleContext, instance: string): Role {
  const config = context.config.s3Sinks[instance]
  const store = config && context.config.stores[config.store]
  if (!config || store?.type !== 's3') {
    throw new Fault('config-invalid', `[s3_sink.${instance}] names no store of type "s3"`)
  }
  return createSink(context, { role: 's3-sink', instance, config, store: createS3Store(store) })
}
