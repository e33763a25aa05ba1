import type { Config } from '../config.ts'
import { Fault } from '../errors.ts'
import { type Role, type RoleContext, type RoleName, roleNames } from './role.ts'

/** A role under one of its names in the config. */
export interface RoleInstance {
  /** Names it in logs, metrics and on the page: `mirror.cloud`. */
  readonly id: string
  readonly role: RoleName
  readonly instance: string
}

export type RoleFactory = (context: RoleContext, instance: string) => Role

/** Each role's page; loaded only when it runs, because some bring large libraries. */
const factories: Readonly<Record<RoleName, () => Promise<RoleFactory>>> = {
  ingest: async () => (await import('./ingest.ts')).createIngest,
  mirror: async () => (await import('./mirror.ts')).createMirror,
  'hdfs-sink': async () => (await import('./hdfs-sink.ts')).createHdfsSink,
  's3-sink': async () => (await import('./s3-sink.ts')).createS3Sink,
  'redshift-loader': async () => (await import('./redshift-loader.ts')).createRedshiftLoader
}

/** The config's section of each role, in the order of the road. */
const sections: Readonly<Record<RoleName, (config: Config) => object>> = {
  ingest: ({ ingest }) => ingest,
  mirror: ({ mirror }) => mirror,
  'hdfs-sink': ({ hdfsSinks }) => hdfsSinks,
  's3-sink': ({ s3Sinks }) => s3Sinks,
  'redshift-loader': ({ redshiftLoaders }) => redshiftLoaders
}

/** Every instance that the config names, in the order of the road. */
export function allInstances(config: Config): RoleInstance[] {
  return roleNames.flatMap((role) =>
    Object.keys(sections[role](config)).map((instance) => ({ id: `${role}.${instance}`, role, instance }))
  )
}

/** The instances to run. Throws `arguments-invalid` when a role was asked for that the config does not name. */
export function instancesOf(config: Config, selected: readonly RoleName[] | 'all'): RoleInstance[] {
  const all = allInstances(config)
  if (selected === 'all') {
    if (all.length > 0) return all
    throw new Fault('arguments-invalid', 'the config names no role: it has nothing to run')
  }
  for (const role of selected) {
    if (all.some((each) => each.role === role)) continue
    const section = role.replaceAll('-', '_')
    throw new Fault('arguments-invalid', `--role ${role}: the config has no [${section}.NAME]`)
  }
  return all.filter(({ role }) => selected.includes(role))
}

export async function createRole(instance: RoleInstance, context: RoleContext): Promise<Role> {
  const create = await factories[instance.role]()
  return create(context, instance.instance)
}
