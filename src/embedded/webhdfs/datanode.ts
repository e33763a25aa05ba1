import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { bodyOf, isDiskFull, type Reply } from '../http-service.ts'
import { BYTES_PER_CRC, checksumOf } from './checksum.ts'
import { dataNodeHeaders, RemoteError } from './errors.ts'
import type { FileSystem } from './filesystem.ts'
import type { FileInode } from './inode.ts'
import { DEFAULT_BLOCK_BYTES, DEFAULT_REPLICATION, type Namespace } from './namespace.ts'
import { invalid, Parameters, type WebHdfsRequest } from './request.ts'

export interface DataNode {
  /** The file system as the active NameNode sees it, wherever the client came from. */
  readonly fileSystem: () => FileSystem
  readonly namespace: Namespace
  readonly superuser: string
  readonly groups: Readonly<Record<string, readonly string[]>>
  /** `hdfs://host:port` of the NameNode, for the Location of what was created. */
  readonly nameNode: string
}

interface Upload {
  readonly dataNode: DataNode
  readonly fileSystem: FileSystem
  readonly request: IncomingMessage
  readonly file: FileInode
  readonly path: string
  /** Where the body starts in the file. */
  readonly from: number
  /** Bytes of the body that find room on the disk. */
  readonly room: number
}

/**
 * Serves the DataNode's half: the second step of CREATE, APPEND and OPEN. Here the file system is asked for the first time
 * whether it may be, so a CREATE's errors come at this step. Throws `RemoteError`.
 */
export async function serveDataNode(
  dataNode: DataNode,
  parsed: WebHdfsRequest,
  request: IncomingMessage,
  response: ServerResponse,
  room = Infinity
): Promise<Reply> {
  const fileSystem = dataNode.fileSystem()
  const parameters = new Parameters(parsed.parameters)
  const user = parameters.user(dataNode.superuser, dataNode.groups)
  const { path } = parsed
  switch (`${parsed.method} ${parsed.op}`) {
    case 'PUT CREATE': {
      response.writeContinue()
      const file = fileSystem.create(user, path, {
        overwrite: parameters.boolean('overwrite', false),
        createParent: parameters.boolean('createparent', true),
        permission: parameters.permission(0o644),
        replication: parameters.count('replication', 1) ?? DEFAULT_REPLICATION,
        blockBytes: parameters.count('blocksize', 1) ?? DEFAULT_BLOCK_BYTES
      })
      await store({ dataNode, fileSystem, request, file, path, from: 0, room })
      return {
        status: 201,
        headers: { location: `${dataNode.nameNode}${encodeURI(path)}`, connection: 'close' }
      }
    }
    case 'POST APPEND': {
      response.writeContinue()
      const file = fileSystem.append(user, path)
      await store({ dataNode, fileSystem, request, file, path, from: file.bytes, room })
      return { status: 200, headers: { connection: 'close' } }
    }
    case 'GET OPEN':
      return await read(dataNode, fileSystem.readable(user, path), parameters)
    case 'GET GETFILECHECKSUM':
      return await checksum(dataNode, fileSystem.readable(user, path))
    default:
      throw invalid('op', `${parsed.op} is not a valid ${parsed.method} operation.`)
  }
}

/**
 * Writes the body and closes the file. A body that is cut, or finds no room, leaves a closed file of what arrived, as a
 * DataNode does whose client goes away.
 */
async function store(upload: Upload): Promise<void> {
  const { dataNode, fileSystem, request, file, path, from, room } = upload
  const block = await open(dataNode.namespace.blockPath(file.id), from === 0 ? 'w' : 'r+')
  let bytes = 0
  try {
    checkBlockSize(file)
    for await (const chunk of bodyOf(request)) {
      const fitting = chunk.subarray(0, Math.max(room - bytes, 0))
      fileSystem.allocate(file.id, path, from + bytes + fitting.length)
      bytes += await writeAt(block, fitting, from + bytes)
      if (fitting.length < chunk.length) throw noRoom(path)
    }
  } catch (error) {
    throw isDiskFull(error) ? noRoom(path) : error
  } finally {
    await block.close()
    fileSystem.complete(file.id, path, from + bytes)
  }
}

/** HDFS's client notices only when the file is there. */
function checkBlockSize({ blockBytes }: FileInode): void {
  if (blockBytes % BYTES_PER_CRC === 0) return
  const message = `Invalid values: dfs.bytes-per-checksum (=${BYTES_PER_CRC}) must divide block size (=${blockBytes}).`
  throw new RemoteError('HadoopIllegalArgumentException', message)
}

async function writeAt(block: FileHandle, chunk: Buffer, position: number): Promise<number> {
  let done = 0
  while (done < chunk.length) {
    done += (await block.write(chunk, done, chunk.length - done, position + done)).bytesWritten
  }
  return done
}

async function read({ namespace }: DataNode, file: FileInode, parameters: Parameters): Promise<Reply> {
  const start = parameters.count('offset') ?? 0
  const end = Math.min(start + (parameters.count('length') ?? Infinity), file.bytes)
  const headers = { 'content-type': 'application/octet-stream', connection: 'close' }
  if (start >= end) return { status: 200, headers }
  const block = await open(namespace.blockPath(file.id), 'r')
  const body = block.createReadStream({ start, end: end - 1 })
  return { status: 200, headers: { ...headers, 'content-length': String(end - start) }, body }
}

async function checksum({ namespace }: DataNode, file: FileInode): Promise<Reply> {
  const { bytes, blockBytes } = file
  const content = bytes === 0 ? [] : createReadStream(namespace.blockPath(file.id), { end: bytes - 1 })
  const body = JSON.stringify({ FileChecksum: await checksumOf(content, bytes, blockBytes) })
  return { status: 200, headers: dataNodeHeaders, body }
}

function noRoom(path: string): RemoteError {
  return new RemoteError(
    'IOException',
    `File ${path} could only be written to 0 of the 1 minReplication nodes. There are 1 datanode(s) running and 1 node(s) are excluded in this operation.`
  )
}
