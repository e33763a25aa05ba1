import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  GetBucketLifecycleConfigurationCommand,
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
  type S3Client
} from '@aws-sdk/client-s3'
import { causeway } from './command-line.ts'

export interface LifecycleWorld {
  /** Where the config `c.toml` and the keys lie. */
  readonly directory: string
  readonly endpoint: string
  /** Without them the SDK looks for some. */
  readonly keys: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
  /** `<config name>.<instance>`; its files lie in the bucket `lake` under `road/`. */
  readonly sink?: string
}

/** `causeway s3 lifecycle …` of a config with one sink of this ttl. */
export function runLifecycle(world: LifecycleWorld, ttl: string | undefined, ...args: readonly string[]) {
  const { directory, endpoint, keys, sink = 'hybrid.crucial' } = world
  const [name = '', instance = ''] = sink.split('.')
  const lines = [
    `name = "${name}"\ndata_dir = "data"\n[cluster.a]\nbrokers = ["a:9092"]`,
    `[store.lake]\ntype = "s3"\nbucket = "lake"\nprefix = "road"\npath_style = true\nendpoint = "${endpoint}"`,
    ...(keys === undefined ? [] : [`access_key_id = "\${file:id}"\nsecret_access_key = "\${file:secret}"`]),
    `[s3_sink.${instance}]\ncluster = "a"\ntopics = ["x"]\nstore = "lake"`,
    ...(ttl === undefined ? [] : [`ttl = "${ttl}"`])
  ]
  writeFileSync(join(directory, 'c.toml'), `${lines.join('\n')}\n`)
  writeFileSync(join(directory, 'id'), keys?.accessKeyId ?? '')
  writeFileSync(join(directory, 'secret'), keys?.secretAccessKey ?? '')
  return causeway(directory, 's3', 'lifecycle', '--config', 'c.toml', ...args)
}

/** The rules of the bucket `lake`; rejects with `NoSuchLifecycleConfiguration` where it never had any. */
export async function rulesOf(client: S3Client): Promise<readonly LifecycleRule[]> {
  const { Rules = [] } = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: 'lake' }))
  return Rules
}

export async function setRules(client: S3Client, Rules: readonly LifecycleRule[]): Promise<void> {
  const LifecycleConfiguration = { Rules: [...Rules] }
  await client.send(new PutBucketLifecycleConfigurationCommand({ Bucket: 'lake', LifecycleConfiguration }))
}
