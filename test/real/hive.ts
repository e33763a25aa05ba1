import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../tools/service.ts'
import { writeProperties } from './hdfs/properties.ts'
import type { RealHdfs } from './hdfs.ts'
import { compiled, JavaLines } from './java-lines.ts'
import { hasMaven, jarsOf, quickJava } from './maven.ts'
import { Restartable } from './restartable.ts'

const folder = join(import.meta.dirname, 'hive')
const source = join(folder, 'HiveSql.java')
const passwords = join(folder, 'OneUser.java')

/** Whether HiveServer2 can be had here. */
export const hasHive = hasMaven

/** Fetches and compiles what the tests need of Hive. */
export async function prepareHive(): Promise<void> {
  const libraries = await hiveLibraries()
  await compiled({ source, libraries })
  await compiled({ source: passwords, libraries })
}

/** HiveServer2 4.0.1 with its metastore (Derby) in the same process; the tables' files are on HDFS. */
export interface RealHive {
  readonly process: Restartable
  /** Of its Thrift service on 127.0.0.1. */
  readonly port: number
  /** Runs a statement by Hive's JDBC driver; values as strings. A statement that Hive refuses is an error. */
  query(sql: string): Promise<(string | null)[][]>
  /** `SIGKILL`; its next life is on the same port and metastore. */
  kill(): Promise<void>
  stop(): Promise<void>
}

export interface HiveOptions {
  /** Where the server's machine stands; `UTC` by default. */
  readonly timeZone?: string
  /**
   * `hive.server2.authentication`: `NOSASL`, the default; `NONE`, which speaks SASL and believes every password; or `CUSTOM`,
   * which knows one user and his password, and which `query` does not speak.
   */
  readonly authentication?: 'NOSASL' | 'NONE' | { readonly user: string; readonly password: string }
  /** `hive.server2.use.SSL`, with this file of Java's keytool; `query` does not speak it. */
  readonly keystore?: { readonly path: string; readonly password: string }
  /** `hive.server2.transport.mode`, `binary` by default. */
  readonly transport?: 'binary' | 'http'
}

export async function startHive(hdfs: RealHdfs, options: HiveOptions = {}): Promise<RealHive> {
  const { timeZone = 'UTC', authentication = 'NOSASL', transport = 'binary', keystore } = options
  const known = typeof authentication === 'object' ? authentication : undefined
  const libraries = await hiveLibraries()
  const directory = mkdtempSync(join(tmpdir(), 'causeway-hive-'))
  const port = await freePort()
  const conf = writeConfiguration(directory, hdfs, {
    ...{ port, transport, ...(keystore && { keystore }) },
    authentication: typeof authentication === 'object' ? 'CUSTOM' : authentication
  })
  const classes = known && (await compiled({ source: passwords, libraries }))
  const process = new Restartable({
    name: 'HiveServer2',
    command: 'java',
    args: [
      ...quickJava,
      '-Xmx768m',
      ...opened.flatMap((name) => ['--add-opens', `java.base/${name}=ALL-UNNAMED`]),
      `-Dderby.stream.error.file=${join(directory, 'derby.log')}`,
      '-Dlog4j2.level=WARN',
      `-Duser.timezone=${timeZone}`,
      ...(known ? [`-Done.user=${known.user}`, `-Done.password=${known.password}`] : []),
      '-cp',
      [conf, ...(classes === undefined ? [] : [classes]), `${libraries}/*`].join(':'),
      'org.apache.hive.service.server.HiveServer2'
    ],
    cwd: directory,
    env: { ...globalThis.process.env, HADOOP_USER_NAME: hdfs.superuser },
    ready: () => accepts(port)
  })
  let sql: Promise<JavaLines> | undefined
  const kill = async () => {
    // Its connection would stay broken.
    await Promise.all([process.kill(), sql?.then((program) => program.stop())])
    sql = undefined
  }
  const stop = async () => {
    await kill()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await process.start()
  } catch (error) {
    await stop()
    throw error
  }
  const query = async (statement: string) => {
    sql ??= JavaLines.start({ source, libraries, options: ['-Dlog4j2.level=ERROR', '-Duser.timezone=UTC'] })
    const mode = transport === 'http' ? ';transportMode=http;httpPath=cliservice' : ''
    const auth = authentication === 'NOSASL' ? ';auth=noSasl' : ''
    const url = `jdbc:hive2://127.0.0.1:${port}/default${mode}${auth}`
    const answer = await (await sql).ask(JSON.stringify({ url, sql: statement }))
    const { rows, error } = JSON.parse(answer) as Answer
    if (rows === undefined) throw new Error(`${statement}: ${error}\n${process.printed().slice(-3_000)}`)
    return rows
  }
  return { process, port, query, kill, stop }
}

interface Answer {
  readonly rows?: (string | null)[][]
  readonly error?: string
}

function hiveLibraries(): Promise<string> {
  return jarsOf('hive', join(folder, 'pom.xml'))
}

/** Packages of Java's own that Hive looks into. */
const opened = [
  'java.lang',
  'java.lang.reflect',
  'java.io',
  'java.math',
  'java.net',
  'java.nio',
  'java.text',
  'java.time',
  'java.util',
  'java.util.concurrent',
  'java.util.concurrent.atomic',
  'java.util.regex',
  'sun.nio.ch',
  'sun.nio.cs'
] as const

interface ServerSettings extends Pick<HiveOptions, 'transport' | 'keystore'> {
  readonly port: number
  readonly authentication: 'NOSASL' | 'NONE' | 'CUSTOM'
}

function writeConfiguration(
  directory: string,
  { uri }: RealHdfs,
  { port, authentication, transport = 'binary', keystore }: ServerSettings
): string {
  const conf = join(directory, 'conf')
  mkdirSync(conf)
  writeProperties(join(conf, 'core-site.xml'), {
    'fs.defaultFS': uri,
    'hadoop.tmp.dir': join(directory, 'tmp')
  })
  writeProperties(join(conf, 'hive-site.xml'), {
    'javax.jdo.option.ConnectionURL': `jdbc:derby:;databaseName=${join(directory, 'metastore')};create=true`,
    'datanucleus.schema.autoCreateAll': 'true',
    'hive.metastore.schema.verification': 'false',
    'hive.metastore.event.db.notification.api.auth': 'false',
    'hive.metastore.warehouse.dir': '/hive/warehouse',
    'hive.metastore.warehouse.external.dir': '/hive/external',
    'hive.exec.scratchdir': '/hive/tmp',
    'hive.exec.local.scratchdir': join(directory, 'scratch'),
    'hive.downloaded.resources.dir': join(directory, 'resources'),
    'hive.querylog.location': join(directory, 'log'),
    'hive.server2.logging.operation.enabled': 'false',
    'hive.server2.thrift.bind.host': '127.0.0.1',
    'hive.server2.thrift.port': String(port),
    'hive.server2.thrift.http.port': String(port),
    'hive.server2.transport.mode': transport,
    'hive.server2.webui.port': '-1',
    'hive.server2.max.start.attempts': '1',
    'hive.server2.authentication': authentication,
    ...(authentication === 'CUSTOM' && { 'hive.server2.custom.authentication.class': 'OneUser' }),
    ...(keystore && {
      'hive.server2.use.SSL': 'true',
      'hive.server2.keystore.path': keystore.path,
      'hive.server2.keystore.password': keystore.password
    }),
    'hive.server2.enable.doAs': 'false',
    'hive.server2.materializedviews.registry.impl': 'DUMMY',
    'hive.notification.event.poll.interval': '0s',
    'hive.support.concurrency': 'false',
    'hive.stats.autogather': 'false',
    // Queries run in the server itself: no cluster is needed.
    'hive.execution.engine': 'mr',
    'mapreduce.framework.name': 'local'
  })
  return conf
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
