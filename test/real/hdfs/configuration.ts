import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeProperties } from './properties.ts'

/** Where a NameNode listens. */
export interface NameNodePorts {
  readonly rpc: number
  readonly http: number
}

export interface ConfigurationOptions {
  /** The folder of the whole file system; the configuration is written to `conf` in it. */
  readonly directory: string
  /** Two of them are a pair: the second in standby, or the first. */
  readonly nameNodes: readonly NameNodePorts[]
  /** Who may act for others, as Hive does. */
  readonly superuser: string
  readonly groups: Readonly<Record<string, readonly string[]>>
  readonly settings: Readonly<Record<string, string>>
}

/** What a pair of NameNodes is called together. */
export const NAMESERVICE = 'pair'

/** Ids of NameNodes, as `haadmin` and the settings name them. */
export const nameNodeId = (index: number): string => `nn${index + 1}`

export interface Configuration {
  /** The folder, which belongs on the classpath of servers and tools. */
  readonly configuration: string
  /** `hdfs://…` of the file system. */
  readonly uri: string
}

/** Writes the configuration for servers and tools. */
export function writeConfiguration(options: ConfigurationOptions): Configuration {
  const { directory, nameNodes, superuser, groups, settings } = options
  const conf = join(directory, 'conf')
  // Hadoop looks for the files of its pages on the classpath and does not start without the folders.
  for (const server of ['hdfs', 'datanode', 'secondary']) {
    mkdirSync(join(conf, 'webapps', server, 'WEB-INF'), { recursive: true })
  }
  const paired = nameNodes.length > 1
  const uri = `hdfs://${paired ? NAMESERVICE : `127.0.0.1:${nameNodes[0]?.rpc}`}`
  writeProperties(join(conf, 'core-site.xml'), {
    'fs.defaultFS': uri,
    'hadoop.tmp.dir': join(directory, 'tmp'),
    // Nobody's groups are asked of this machine.
    'hadoop.security.group.mapping': 'org.apache.hadoop.security.NullGroupsMapping',
    'hadoop.user.group.static.mapping.overrides': Object.entries(groups)
      .map(([user, names]) => `${user}=${names.join(',')}`)
      .join(';'),
    [`hadoop.proxyuser.${superuser}.hosts`]: '*',
    [`hadoop.proxyuser.${superuser}.groups`]: '*',
    // A server that is starting is asked again soon, not after a second.
    'ipc.client.connect.retry.interval': '100',
    'ipc.client.connect.max.retries': '300'
  })
  writeProperties(join(conf, 'hdfs-site.xml'), {
    ...base,
    ...(paired ? pair(directory, nameNodes) : single(nameNodes[0])),
    ...settings
  })
  writeFileSync(join(conf, 'log4j.properties'), LOGGING)
  return { configuration: conf, uri }
}

const base: Readonly<Record<string, string>> = {
  'dfs.replication': '1',
  'dfs.heartbeat.interval': '1',
  'dfs.datanode.hostname': '127.0.0.1',
  'dfs.namenode.datanode.registration.ip-hostname-check': 'false',
  'dfs.client.use.datanode.hostname': 'true',
  'dfs.datanode.use.datanode.hostname': 'true',
  // Room on a small disk, and no wait at the end of a start.
  'dfs.datanode.du.reserved': '0',
  'dfs.namenode.resource.du.reserved': '0',
  'dfs.namenode.safemode.extension': '0',
  // Few threads: every one of the servers shares two cores with the others.
  'dfs.namenode.handler.count': '8',
  'dfs.datanode.handler.count': '4'
}

function single(ports: NameNodePorts | undefined): Record<string, string> {
  return { 'dfs.namenode.http-address': `127.0.0.1:${ports?.http}` }
}

function pair(directory: string, nameNodes: readonly NameNodePorts[]): Record<string, string> {
  const addresses = nameNodes.flatMap(({ rpc, http }, index) => [
    [`dfs.namenode.rpc-address.${NAMESERVICE}.${nameNodeId(index)}`, `127.0.0.1:${rpc}`],
    [`dfs.namenode.http-address.${NAMESERVICE}.${nameNodeId(index)}`, `127.0.0.1:${http}`]
  ])
  return {
    'dfs.nameservices': NAMESERVICE,
    [`dfs.ha.namenodes.${NAMESERVICE}`]: nameNodes.map((_, index) => nameNodeId(index)).join(','),
    [`dfs.client.failover.proxy.provider.${NAMESERVICE}`]:
      'org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider',
    'dfs.client.failover.sleep.base.millis': '50',
    'dfs.client.failover.sleep.max.millis': '200',
    'dfs.namenode.shared.edits.dir': `file://${join(directory, 'shared-edits')}`,
    'dfs.ha.fencing.methods': 'shell(/bin/true)',
    'dfs.ha.tail-edits.period': '1',
    ...Object.fromEntries(addresses)
  }
}

const LOGGING = `log4j.rootLogger=WARN, console
log4j.logger.org.apache.hadoop.hdfs.server.datanode.DataNode=INFO
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c{1}: %m%n
`
