import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runOk } from '../../tools/run.ts'
import { quickJava } from '../maven.ts'
import { Restartable } from '../restartable.ts'
import { NAMESERVICE, type NameNodePorts, nameNodeId } from './configuration.ts'

/** What all servers of one file system share. */
export interface FileSystemPlace {
  readonly directory: string
  /** Folder of the XML files. */
  readonly configuration: string
  /** Folder of the jars. */
  readonly libraries: string
  readonly superuser: string
  /** 1, or 2 for a pair. */
  readonly nameNodes: number
}

export interface DataNodePorts {
  readonly data: number
  readonly http: number
  readonly ipc: number
}

/** Makes an empty file system; the second NameNode of a pair begins as a copy of the first. */
export async function format(place: FileSystemPlace): Promise<void> {
  const args = [...javaArgs(place), ...nameNodeArgs(place, 0), '-format', '-force', '-nonInteractive']
  await runOk('java', args, { env: environment(place) })
  if (place.nameNodes > 1) cpSync(nameDirectory(place, 0), nameDirectory(place, 1), { recursive: true })
}

export function nameNodeProcess(place: FileSystemPlace, index: number, { http }: NameNodePorts): Restartable {
  return new Restartable({
    name: `NameNode ${index + 1}`,
    command: 'java',
    args: [...javaArgs(place), ...nameNodeArgs(place, index)],
    env: environment(place),
    ready: async () => (await liveDataNodes(`http://127.0.0.1:${http}`)) !== undefined
  })
}

export function dataNodeProcess(place: FileSystemPlace, index: number, ports: DataNodePorts): Restartable {
  const settings = {
    'dfs.datanode.data.dir': join(place.directory, `data-${index + 1}`),
    'dfs.datanode.address': `127.0.0.1:${ports.data}`,
    'dfs.datanode.http.address': `127.0.0.1:${ports.http}`,
    'dfs.datanode.ipc.address': `127.0.0.1:${ports.ipc}`
  }
  const main = 'org.apache.hadoop.hdfs.server.datanode.DataNode'
  return new Restartable({
    name: `DataNode ${index + 1}`,
    command: 'java',
    args: [...javaArgs(place), main, ...definitions(settings)],
    env: environment(place),
    // From here on a NameNode sends clients here, and they are served.
    ready: (printed) => printed.includes('Successfully sent block report')
  })
}

/** How many DataNodes a NameNode knows to live; `undefined` while it does not answer. */
export async function liveDataNodes(nameNode: string): Promise<number | undefined> {
  try {
    const signal = AbortSignal.timeout(5_000)
    const query = 'qry=Hadoop:service=NameNode,name=FSNamesystemState'
    const reply = await fetch(`${nameNode}/jmx?${query}`, { signal })
    const { beans } = (await reply.json()) as { readonly beans: readonly { NumLiveDataNodes?: number }[] }
    return beans[0]?.NumLiveDataNodes
  } catch {
    return undefined
  }
}

const LIVE_TIMEOUT_MS = 60_000

export async function untilLive(nameNode: string, dataNodes: number): Promise<void> {
  const deadline = Date.now() + LIVE_TIMEOUT_MS
  for (let live: number | undefined; live !== dataNodes; await delay(50)) {
    live = await liveDataNodes(nameNode)
    if (Date.now() > deadline) throw new Error(`${nameNode} knows ${live} DataNodes, not ${dataNodes}`)
  }
}

function javaArgs({ configuration, libraries }: FileSystemPlace): string[] {
  const classpath = `${configuration}:${libraries}/*`
  return [...quickJava, '-Xmx256m', '--add-opens', 'java.base/java.lang=ALL-UNNAMED', '-cp', classpath]
}

function nameNodeArgs(place: FileSystemPlace, index: number): string[] {
  const settings = {
    'dfs.namenode.name.dir': nameDirectory(place, index),
    ...(place.nameNodes > 1 && { 'dfs.ha.namenode.id': nameNodeId(index), 'dfs.nameservice.id': NAMESERVICE })
  }
  return ['org.apache.hadoop.hdfs.server.namenode.NameNode', ...definitions(settings)]
}

function nameDirectory({ directory }: FileSystemPlace, index: number): string {
  return join(directory, `name-${index + 1}`)
}

function definitions(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-D', `${name}=${value}`])
}

function environment({ superuser }: FileSystemPlace): NodeJS.ProcessEnv {
  return { ...process.env, HADOOP_USER_NAME: superuser }
}
