import { mkdirSync } from 'node:fs'
import { Faults } from '../faults.ts'
import { isDiskFull, type RunningService, startHttpService } from '../http-service.ts'
import { serveDataNode } from './datanode.ts'
import { dataNodeHeaders, errorReply, faultReply, nameNodeHeaders, RemoteError } from './errors.ts'
import { FileSystem, type NameNodeState } from './filesystem.ts'
import { serveNameNode } from './namenode.ts'
import { Namespace } from './namespace.ts'
import { parseRequest, subjectOf } from './request.ts'

export interface WebHdfsOptions {
  readonly dataDir: string
  /** The NameNode's port; 0 or absent: any free port. The DataNode always takes a free one. */
  readonly port?: number
  /** Subjects: `<OP> <path>` at the NameNode, `DATA <OP> <path>` at the DataNode. */
  readonly faults?: Faults
  /** Owner of `/` and above all permissions; `hdfs` by default. */
  readonly superuser?: string
  /** Groups by user; a user not named here is in the group of the same name. */
  readonly groups?: Readonly<Record<string, readonly string[]>>
  /** Most entries in one answer of LISTSTATUS_BATCH (`dfs.ls.limit`); 1,000 by default. */
  readonly listingMax?: number
  /** A second NameNode on the same names, in standby until `setState` changes that. */
  readonly standby?: boolean
  /** Edits after which the history is made shorter; 20,000 by default. */
  readonly compactEditsMin?: number
  /** Wall clock in milliseconds. */
  readonly now?: () => number
}

export interface EmbeddedNameNode {
  /** `http://127.0.0.1:<port>` of the NameNode. */
  readonly url: string
  readonly port: number
  /** Makes the NameNode standby, puts it into safe mode, or makes it `active`. */
  readonly setState: (state: NameNodeState) => void
}

export interface EmbeddedWebHdfs extends EmbeddedNameNode {
  readonly faults: Faults
  /** The second NameNode, when asked for. */
  readonly standby: EmbeddedNameNode | undefined
  readonly stop: () => Promise<void>
}

/**
 * HDFS as WebHDFS shows it: one NameNode and one DataNode on loopback, user names taken on trust as with simple
 * authentication. The answers are those of Apache Hadoop 3.4.3, by test. What it acknowledged survives `kill -9`.
 */
export async function startWebHdfs(options: WebHdfsOptions): Promise<EmbeddedWebHdfs> {
  mkdirSync(options.dataDir, { recursive: true })
  const now = options.now ?? Date.now
  const faults = options.faults ?? new Faults()
  const superuser = options.superuser ?? 'hdfs'
  const namespace = new Namespace(options.dataDir, superuser, now(), options.compactEditsMin)
  const first = new FileSystem(namespace, now)
  const second = new FileSystem(namespace, now, 'standby')
  const shared = { superuser, groups: options.groups ?? {}, listingMax: options.listingMax ?? 1000 }
  const running: RunningService[] = []
  const run = async (service: Promise<RunningService>): Promise<RunningService> => {
    running.push(await service)
    return service
  }
  const stop = async () => {
    for (const service of running) await service.stop()
    namespace.close()
  }
  try {
    const active = () => (first.state === 'standby' && second.state !== 'standby' ? second : first)
    const nameNode = 'hdfs://127.0.0.1'
    const { port } = await run(startDataNode({ ...shared, fileSystem: active, namespace, nameNode }, faults))
    const dataNode = `http://127.0.0.1:${port}`
    const start = async (fileSystem: FileSystem, wanted?: number): Promise<EmbeddedNameNode> => {
      const service = await run(startNameNode({ ...shared, fileSystem, dataNode }, faults, wanted))
      return {
        url: `http://127.0.0.1:${service.port}`,
        port: service.port,
        setState: (state) => {
          fileSystem.state = state
        }
      }
    }
    const main = await start(first, options.port)
    const standby = options.standby ? await start(second) : undefined
    return { ...main, standby, faults, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startNameNode(
  nameNode: Parameters<typeof serveNameNode>[0],
  faults: Faults,
  port: number | undefined
): Promise<RunningService> {
  return await startHttpService({
    port,
    faults,
    subject: subjectOf,
    handle: async (request) => serveNameNode(nameNode, parseRequest(request)),
    failed: (error) => errorReply(toRemoteError(error), nameNodeHeaders),
    fault: (status, name) => faultReply(status, name, nameNodeHeaders)
  })
}

async function startDataNode(
  dataNode: Parameters<typeof serveDataNode>[0],
  faults: Faults
): Promise<RunningService> {
  return await startHttpService({
    faults,
    subject: (request) => `DATA ${subjectOf(request)}`,
    handle: async (request, response) =>
      await serveDataNode(dataNode, parseRequest(request), request, response),
    /** Half of the announced body still finds room. */
    diskFull: async (request, response) => {
      const room = Math.floor(Number(request.headers['content-length'] ?? 0) / 2)
      return await serveDataNode(dataNode, parseRequest(request), request, response, room)
    },
    failed: (error) => errorReply(toRemoteError(error), dataNodeHeaders),
    fault: (status, name) => faultReply(status, name, dataNodeHeaders)
  })
}

/** A NameNode whose disk is full goes into safe mode. */
function toRemoteError(error: unknown): RemoteError {
  if (error instanceof RemoteError) return error
  if (isDiskFull(error)) {
    return new RemoteError('SafeModeException', 'Name node is in safe mode.\nResources are low on NN.')
  }
  return new RemoteError('IOException', error instanceof Error ? error.message : String(error))
}
