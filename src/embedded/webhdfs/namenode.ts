import type { Reply } from '../http-service.ts'
import { RemoteError } from './errors.ts'
import type { FileSystem } from './filesystem.ts'
import { compareNames, type Inode, NO_QUOTA } from './inode.ts'
import { DEFAULT_BLOCK_BYTES, DEFAULT_REPLICATION } from './namespace.ts'
import type { User } from './permissions.ts'
import { usageOf } from './quota.ts'
import { invalid, Parameters, type WebHdfsRequest } from './request.ts'

/** One operation at the NameNode. */
interface Call {
  readonly fileSystem: FileSystem
  readonly path: string
  readonly op: string
  readonly parameters: Parameters
  readonly user: User
  /** Where a DataNode serves this request. */
  readonly dataNodeUrl: (extra: Readonly<Record<string, string>>) => string
  readonly listingMax: number
}

type Handler = (call: Call) => Reply

const handlers: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  GET: {
    OPEN: open,
    GETFILECHECKSUM: ({ fileSystem, user, path, parameters, dataNodeUrl }) => {
      const inode = found(fileSystem.find(user, path), path)
      if (inode.type === 'file') fileSystem.readable(user, path)
      requireDataNode(parameters, bytesOf(inode))
      return redirect(parameters, dataNodeUrl({}))
    },
    GETFILESTATUS: fileStatus,
    LISTSTATUS: listStatus,
    LISTSTATUS_BATCH: listStatusBatch,
    GETCONTENTSUMMARY: contentSummary,
    GETQUOTAUSAGE: quotaUsage,
    GETSERVERDEFAULTS: () => json({ FsServerDefaults: serverDefaults }),
    GETHOMEDIRECTORY: ({ user }) => json({ Path: `/user/${user.name}` })
  },
  PUT: {
    SETREPLICATION: ({ fileSystem, user, path, parameters }) => {
      const replication = parameters.count('replication', 1) ?? DEFAULT_REPLICATION
      return json({ boolean: fileSystem.setReplication(user, path, replication) })
    },
    SETTIMES: ({ fileSystem, user, path, parameters }) => {
      const time = (name: string) => unless(UNCHANGED, parameters.count(name, UNCHANGED))
      fileSystem.setTimes(user, path, time('modificationtime'), time('accesstime'))
      return empty
    },
    SETQUOTA: setQuota,
    CREATE: ({ dataNodeUrl, parameters }) => {
      requireDataNode(parameters, 0)
      const createparent = parameters.text('createparent') ?? 'true'
      const overwrite = parameters.text('overwrite') ?? 'false'
      return redirect(parameters, dataNodeUrl({ createflag: '', createparent, overwrite }))
    },
    MKDIRS: ({ fileSystem, user, path, parameters }) =>
      json({ boolean: fileSystem.mkdirs(user, path, parameters.permission(0o755)) }),
    RENAME: rename,
    SETPERMISSION: ({ fileSystem, user, path, parameters }) => {
      fileSystem.setPermission(user, path, parameters.permission(0o755))
      return empty
    },
    SETOWNER: ({ fileSystem, user, path, parameters }) => {
      fileSystem.setOwner(user, path, parameters.text('owner'), parameters.text('group'))
      return empty
    }
  },
  POST: {
    TRUNCATE: ({ fileSystem, user, path, parameters, op }) => {
      const bytes = parameters.required('newlength', op, parameters.count('newlength'))
      return json({ boolean: fileSystem.truncate(user, path, bytes) })
    },
    APPEND: ({ fileSystem, user, path, parameters, dataNodeUrl }) => {
      found(fileSystem.find(user, path), path)
      requireDataNode(parameters, fileSystem.readable(user, path).bytes)
      return redirect(parameters, dataNodeUrl({}))
    }
  },
  DELETE: {
    DELETE: ({ fileSystem, user, path, parameters }) =>
      json({ boolean: fileSystem.delete(user, path, parameters.boolean('recursive', false)) })
  }
}

export interface NameNode {
  readonly fileSystem: FileSystem
  readonly superuser: string
  readonly groups: Readonly<Record<string, readonly string[]>>
  readonly listingMax: number
  /** `http://host:port` of the DataNode. */
  readonly dataNode: string
}

/** Serves the NameNode's half of WebHDFS (REST API of Hadoop 3.4). Throws `RemoteError`. */
export function serveNameNode(nameNode: NameNode, request: WebHdfsRequest): Reply {
  const handler = handlers[request.method]?.[request.op]
  if (handler === undefined) throw invalid('op', `${request.op} is not a valid ${request.method} operation.`)
  const parameters = new Parameters(request.parameters)
  const user = parameters.user(nameNode.superuser, nameNode.groups)
  const { path, op } = request
  const dataNodeUrl = (extra: Readonly<Record<string, string>>) => {
    const query = new URLSearchParams(request.parameters)
    query.delete('noredirect')
    query.set('user.name', user.name)
    for (const [name, value] of Object.entries(extra)) query.set(name, value)
    return `${nameNode.dataNode}/webhdfs/v1${path.split('/').map(encodeURIComponent).join('/')}?${query}`
  }
  const { fileSystem, listingMax } = nameNode
  return handler({ fileSystem, path, op, parameters, user, dataNodeUrl, listingMax })
}

const empty: Reply = { status: 200, headers: { 'content-type': 'application/octet-stream' } }

/** The quota of `/` in HDFS: Java's largest `long`, which is not a number that JavaScript can print. */
const LONG_MAX = 2 ** 63

function json(value: unknown): Reply {
  const body = JSON.stringify(value).replaceAll(String(LONG_MAX), '9223372036854775807')
  return { status: 200, headers: { 'content-type': 'application/json' }, body }
}

/** What a client is told to use unless it is told otherwise (`dfs.replication` and others of hdfs-default.xml). */
const serverDefaults = {
  blockSize: DEFAULT_BLOCK_BYTES,
  bytesPerChecksum: 512,
  checksumType: 2,
  defaultStoragePolicyId: 7,
  encryptDataTransfer: false,
  fileBufferSize: 4096,
  keyProviderUri: '',
  replication: DEFAULT_REPLICATION,
  trashInterval: 0,
  writePacketSize: 65_536
}

/** Leaves a time as it is. */
const UNCHANGED = -1

function unless(nothing: number, value: number | undefined): number | undefined {
  return value === nothing ? undefined : value
}

function found(inode: Inode | undefined, path: string): Inode {
  if (inode !== undefined) return inode
  throw new RemoteError('FileNotFoundException', `File ${path} not found.`)
}

function redirect(parameters: Parameters, location: string): Reply {
  if (parameters.boolean('noredirect', false)) return json({ Location: location })
  return { status: 307, headers: { location, 'content-type': 'application/octet-stream' } }
}

/** By this a NameNode knows our DataNode. */
const DATANODE_IP = '127.0.0.1'

/**
 * Unless the client excludes the only DataNode there is. Hosts are IP addresses; what has a colon ends with the port of
 * data transfer, which ours does not have.
 */
function requireDataNode(parameters: Parameters, bytes: number): void {
  const list = parameters.text('excludedatanodes') ?? ''
  const hosts = list.split(',').map((host) => host.trim())
  for (const host of hosts) {
    const port = host.includes(':') ? host.slice(host.indexOf(':') + 1) : '0'
    if (!/^\d+$/.test(port)) throw new RemoteError('NumberFormatException', `For input string: "${port}"`)
  }
  if (!hosts.includes(DATANODE_IP)) return
  const missing = `Failed to find datanode, suggest to check cluster health. excludeDatanodes=${list}`
  throw new RemoteError('IOException', bytes > 0 ? 'No active nodes contain this block' : missing)
}

function bytesOf(inode: Inode): number {
  return inode.type === 'file' ? inode.bytes : 0
}

function open({ fileSystem, user, path, op, parameters, dataNodeUrl }: Call): Reply {
  const offset = parameters.count('offset') ?? 0
  const inode = found(fileSystem.find(user, path), path)
  const bytes = bytesOf(inode)
  if (offset >= bytes && bytes > 0) {
    const message = `Offset=${offset} out of the range [0, ${bytes}); ${op}, path=${path}`
    throw new RemoteError('IOException', message)
  }
  if (inode.type === 'file') fileSystem.readable(user, path)
  requireDataNode(parameters, bytes)
  return redirect(parameters, dataNodeUrl({ offset: String(offset) }))
}

function fileStatus({ fileSystem, user, path }: Call): Reply {
  const inode = fileSystem.find(user, path)
  if (inode === undefined) throw new RemoteError('FileNotFoundException', `File does not exist: ${path}`)
  return json({ FileStatus: statusOf(inode, '') })
}

function listStatus(call: Call): Reply {
  return json({ FileStatuses: { FileStatus: listed(call).map((inode) => namedStatus(call, inode)) } })
}

function listStatusBatch(call: Call): Reply {
  const startAfter = call.parameters.text('startAfter') ?? ''
  const rest = listed(call).filter(({ name }) => startAfter === '' || compareNames(name, startAfter) > 0)
  const page = rest.slice(0, call.listingMax)
  return json({
    DirectoryListing: {
      partialListing: { FileStatuses: { FileStatus: page.map((inode) => namedStatus(call, inode)) } },
      remainingEntries: rest.length - page.length
    }
  })
}

function listed({ fileSystem, user, path }: Call): readonly Inode[] {
  return fileSystem.list(user, path)
}

/** A file that is listed itself has no suffix to its own path. */
function namedStatus({ fileSystem, user, path }: Call, inode: Inode) {
  return statusOf(inode, fileSystem.find(user, path) === inode ? '' : inode.name)
}

function statusOf(inode: Inode, pathSuffix: string) {
  const isFile = inode.type === 'file'
  return {
    accessTime: inode.accessedMs,
    blockSize: isFile ? inode.blockBytes : 0,
    childrenNum: isFile ? 0 : inode.children.size,
    fileId: inode.id,
    group: inode.group,
    length: isFile ? inode.bytes : 0,
    modificationTime: inode.modifiedMs,
    owner: inode.owner,
    pathSuffix,
    permission: inode.permission.toString(8),
    replication: isFile ? inode.replication : 0,
    storagePolicy: 0,
    type: isFile ? 'FILE' : 'DIRECTORY'
  }
}

function contentSummary({ fileSystem, user, path }: Call): Reply {
  const { target, inodes } = fileSystem.subtree(user, path)
  const files = inodes.filter((inode) => inode.type === 'file')
  const length = files.reduce((sum, file) => sum + file.bytes, 0)
  return json({
    ContentSummary: {
      directoryCount: inodes.length - files.length,
      ecPolicy: target.type === 'file' ? 'Replicated' : '',
      fileCount: files.length,
      length,
      quota: quotasOf(target).quota,
      snapshotDirectoryCount: 0,
      snapshotFileCount: 0,
      snapshotLength: 0,
      snapshotSpaceConsumed: 0,
      spaceConsumed: usageOf(target).space,
      spaceQuota: quotasOf(target).spaceQuota,
      typeQuota: {}
    }
  })
}

function quotasOf(inode: Inode): { readonly quota: number; readonly spaceQuota: number } {
  if (inode.type === 'file') return { quota: NO_QUOTA, spaceQuota: NO_QUOTA }
  const { namespaceQuota, spaceQuota, parent } = inode
  return {
    quota: parent === undefined && namespaceQuota === NO_QUOTA ? LONG_MAX : namespaceQuota,
    spaceQuota
  }
}

function quotaUsage({ fileSystem, user, path }: Call): Reply {
  const { target } = fileSystem.subtree(user, path, 'File/Directory')
  const { names, space } = usageOf(target)
  const { quota, spaceQuota } = quotasOf(target)
  const usage = { fileAndDirectoryCount: names, quota, spaceConsumed: space, spaceQuota, typeQuota: {} }
  return json({ QuotaUsage: usage })
}

/** A quota that is not named stays; `NO_QUOTA` clears it. */
function setQuota({ fileSystem, user, path, parameters }: Call): Reply {
  const namespaceQuota = parameters.count('namespacequota', NO_QUOTA)
  const spaceQuota = parameters.count('storagespacequota', NO_QUOTA)
  fileSystem.setQuotas(user, path, {
    ...(namespaceQuota !== undefined && { namespaceQuota }),
    ...(spaceQuota !== undefined && { spaceQuota })
  })
  return empty
}

/** Without options the old rename, which answers with a boolean; with any of them `rename2`, which answers nothing. */
function rename({ fileSystem, user, path, parameters }: Call): Reply {
  const destination = parameters.destination()
  const options = parameters.text('renameoptions')?.toUpperCase().split(',')
  if (options === undefined) return json({ boolean: fileSystem.rename(user, path, destination) })
  const unknown = options.find((option) => option !== 'NONE' && option !== 'OVERWRITE')
  if (unknown !== undefined) {
    throw invalid('renameoptions', `No enum constant org.apache.hadoop.fs.Options.Rename.${unknown}`)
  }
  fileSystem.rename2(user, path, destination, options.includes('OVERWRITE'))
  return empty
}
