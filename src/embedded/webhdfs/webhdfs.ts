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
  /** Wall clock in milliseconds. */
  readonly now?: () => number
}

export interface EmbeddedWebHdfs {
  /** `http://127.0.0.1:<port>` of the NameNode. */
  readonly url: string
  readonly port: number
  readonly faults: Faults
  /** Makes the NameNode standby, puts it into safe mode, or back to `active`. */
  readonly setState: (state: NameNodeState) => void
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
  const namespace = new Namespace(options.dataDir, superuser, now())
  const fileSystem = new FileSystem(namespace, now)
  const shared = { fileSystem, superuser, groups: options.groups ?? {} }
  const running: RunningService[] = []
  const stop = async () => {
    for (const service of running) await service.stop()
    namespace.close()
  }
  try {
    const dataNode = await startDataNode({ ...shared, namespace, nameNode: 'hdfs://127.0.0.1' }, faults)
    running.push(dataNode)
    const nameNode = await startHttpService({
      port: options.port,
      faults,
      subject: subjectOf,
      handle: async (request) =>
        serveNameNode(
          {
            ...shared,
            dataNode: `http://127.0.0.1:${dataNode.port}`,
            listingMax: options.listingMax ?? 1000
          },
          parseRequest(request)
        ),
      failed: (error) => errorReply(toRemoteError(error), nameNodeHeaders),
      fault: (status, name) => faultReply(status, name, nameNodeHeaders)
    })
    running.push(nameNode)
    return {
      url: `http://127.0.0.1:${nameNode.port}`,
      port: nameNode.port,
      faults,
      setState: (state) => {
        fileSystem.state = state
      },
      stop
    }
  } catch (error) {
    await stop()
    throw error
  }
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
