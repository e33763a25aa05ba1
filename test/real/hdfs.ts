import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../tools/service.ts'
import { nameNodeId, writeConfiguration } from './hdfs/configuration.ts'
import { dataNodeProcess, type FileSystemPlace, format, nameNodeProcess, untilLive } from './hdfs/daemons.ts'
import { hdfsLibraries } from './hdfs/libraries.ts'
import { HadoopTools, prepareTools } from './hdfs/tools.ts'
import { hasMaven } from './maven.ts'
import type { Restartable } from './restartable.ts'

/** Whether HDFS can be had here. */
export const hasHdfs = hasMaven

/** Fetches and compiles what the tests need of Hadoop. */
export async function prepareHdfs(): Promise<void> {
  await prepareTools()
}

export interface HdfsOptions {
  /** Whom the servers run as: the owner of `/`, above all permissions; `hdfs` by default. */
  readonly superuser?: string
  /** Groups by user; a user who is not named is in none. */
  readonly groups?: Readonly<Record<string, readonly string[]>>
  /** 1 by default. */
  readonly dataNodes?: number
  /** A second NameNode, in standby. */
  readonly standby?: boolean
  /** Of `hdfs-site.xml`. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface NameNode {
  readonly process: Restartable
  /** `http://127.0.0.1:<port>`: WebHDFS and the metrics. */
  readonly url: string
}

export interface DataNode {
  readonly process: Restartable
  /** `127.0.0.1:<port>` of its WebHDFS. */
  readonly http: string
}

/** Apache Hadoop's HDFS 3.4.3 on free loopback ports in a temporary directory. */
export interface RealHdfs {
  /** Active from the start. */
  readonly nameNode: NameNode
  /** The second one, when asked for. */
  readonly standby: NameNode | undefined
  readonly dataNodes: readonly DataNode[]
  readonly superuser: string
  /** `hdfs://…`, for clients of the RPC. */
  readonly uri: string
  /** Hadoop's own commands, configured for this file system. */
  readonly tools: HadoopTools
  setSafeMode(on: boolean): Promise<void>
  /** Makes one NameNode of a pair active and the other one standby. */
  setActive(which: 'first' | 'second'): Promise<void>
  /** Ends all processes and removes the files. */
  stop(): Promise<void>
}

/** Formats and starts HDFS, and waits until every DataNode has reported. */
export async function startHdfs(options: HdfsOptions = {}): Promise<RealHdfs> {
  const { superuser = 'hdfs', groups = {}, settings = {}, dataNodes: dataNodeCount = 1 } = options
  const directory = mkdtempSync(join(tmpdir(), 'causeway-hdfs-'))
  const pair = options.standby === true
  const ports = await freePorts((pair ? 4 : 2) + 3 * dataNodeCount)
  const take = () => ports.shift() ?? -1
  const nameNodePorts = Array.from({ length: pair ? 2 : 1 }, () => ({ rpc: take(), http: take() }))
  const dataNodePorts = Array.from({ length: dataNodeCount }, () => ({
    ...{ data: take(), http: take(), ipc: take() }
  }))
  const { configuration, uri } = writeConfiguration({
    ...{ directory, nameNodes: nameNodePorts, superuser, groups, settings }
  })
  const place: FileSystemPlace = {
    ...{ directory, configuration, superuser },
    libraries: await hdfsLibraries(),
    nameNodes: nameNodePorts.length
  }
  await format(place)
  const nameNodes = nameNodePorts.map((own, index) => ({
    process: nameNodeProcess(place, index, own),
    url: `http://127.0.0.1:${own.http}`
  }))
  const dataNodes = dataNodePorts.map((own, index) => ({
    process: dataNodeProcess(place, index, own),
    http: `127.0.0.1:${own.http}`
  }))
  const hdfs = new Hdfs(place, uri, nameNodes, dataNodes)
  try {
    await hdfs.start()
  } catch (error) {
    await hdfs.stop()
    throw error
  }
  return hdfs
}

class Hdfs implements RealHdfs {
  readonly dataNodes: readonly DataNode[]
  readonly uri: string
  readonly superuser: string
  readonly tools: HadoopTools
  readonly #nameNodes: readonly NameNode[]
  readonly #directory: string

  constructor(
    { configuration, directory, superuser }: FileSystemPlace,
    uri: string,
    nameNodes: readonly NameNode[],
    dataNodes: readonly DataNode[]
  ) {
    this.dataNodes = dataNodes
    this.uri = uri
    this.superuser = superuser
    this.tools = new HadoopTools(configuration)
    this.#nameNodes = nameNodes
    this.#directory = directory
  }

  get nameNode(): NameNode {
    const [first] = this.#nameNodes
    if (first === undefined) throw new Error('HDFS has a NameNode')
    return first
  }

  get standby(): NameNode | undefined {
    return this.#nameNodes[1]
  }

  async start(): Promise<void> {
    await Promise.all(this.#processes().map((process) => process.start()))
    if (this.standby) await this.setActive('first')
    await Promise.all(this.#nameNodes.map(({ url }) => untilLive(url, this.dataNodes.length)))
  }

  async setSafeMode(on: boolean): Promise<void> {
    await this.tools.runOk('dfsadmin', ['-safemode', on ? 'enter' : 'leave'], this.superuser)
  }

  async setActive(which: 'first' | 'second'): Promise<void> {
    const [active, passive] = which === 'first' ? [0, 1] : [1, 0]
    await this.tools.runOk('haadmin', ['-transitionToStandby', nameNodeId(passive)], this.superuser)
    await this.tools.runOk('haadmin', ['-transitionToActive', nameNodeId(active)], this.superuser)
  }

  async stop(): Promise<void> {
    await Promise.all([this.tools.stop(), ...this.#processes().map((process) => process.kill())])
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #processes(): Restartable[] {
    return [...this.#nameNodes, ...this.dataNodes].map(({ process }) => process)
  }
}
