import { RemoteError } from './errors.ts'
import { compareNames, type FileInode, type Inode, pathOf, type Resolved, subtree } from './inode.ts'
import type { Changes, Namespace } from './namespace.ts'
import { check, type User } from './permissions.ts'
import { checkQuotas, commonAncestor, usageOf } from './quota.ts'

/** `standby` refuses everything, `safe-mode` every change, as a NameNode in those states does. */
export type NameNodeState = 'active' | 'standby' | 'safe-mode'

export interface CreateOptions {
  readonly overwrite: boolean
  readonly createParent: boolean
  readonly permission: number
  readonly replication: number
  readonly blockBytes: number
}

const REPLICATION_MAX = 512
const BLOCK_BYTES_MIN = 1024 * 1024

/** The operations of a NameNode with HDFS 3.4's checks, in HDFS's order, and its messages. All throw `RemoteError`. */
export class FileSystem {
  readonly #namespace: Namespace
  readonly #now: () => number
  state: NameNodeState

  constructor(namespace: Namespace, now: () => number, state: NameNodeState = 'active') {
    this.#namespace = namespace
    this.#now = now
    this.state = state
  }

  /** What exists at the path, or `undefined`; the user may go there. */
  find(user: User, path: string): Inode | undefined {
    this.#requireRead()
    const resolved = this.#namespace.resolve(path)
    const belowFile = resolved.target === undefined && resolved.inodes.at(-1)?.type === 'file'
    if (belowFile) return undefined
    check(user, resolved)
    return resolved.target
  }

  /** The children of a directory in HDFS's order, or a file itself. */
  list(user: User, path: string): readonly Inode[] {
    this.#requireRead()
    const resolved = this.#namespace.resolve(path)
    check(user, resolved, resolved.target?.type === 'directory' ? { target: 'READ_EXECUTE' } : {})
    const { target } = resolved
    if (target === undefined) throw notFound(`File ${resolved.path} does not exist.`)
    if (target.type === 'file') return [target]
    return [...target.children.values()].sort((a, b) => compareNames(a.name, b.name))
  }

  /** `what` names in the error what is not there. */
  subtree(
    user: User,
    path: string,
    what = 'File'
  ): { readonly target: Inode; readonly inodes: readonly Inode[] } {
    this.#requireRead()
    const resolved = this.#namespace.resolve(path)
    check(user, resolved, { directories: 'READ_EXECUTE' })
    if (resolved.target === undefined) throw notFound(`${what} does not exist: ${resolved.path}`)
    return { target: resolved.target, inodes: [...subtree(resolved.target)] }
  }

  mkdirs(user: User, path: string, permission: number): boolean {
    this.#requireWrite(`create directory ${path}`)
    const resolved = this.#namespace.resolve(path)
    if (resolved.target?.type === 'file') {
      throw new RemoteError('FileAlreadyExistsException', `Path is not a directory: ${resolved.path}`)
    }
    check(user, resolved, resolved.target === undefined ? { creating: true, ancestor: 'WRITE' } : {})
    if (resolved.target === undefined)
      this.#makeMissing(user, resolved, resolved.components.length, permission)
    return true
  }

  /** Creates a file open for writing; it is there from now on, with length 0. */
  create(user: User, path: string, options: CreateOptions): FileInode {
    this.#requireWrite(`create file${path}`)
    if (options.blockBytes < BLOCK_BYTES_MIN) {
      const message = `Specified block size ${options.blockBytes} is less than configured minimum value dfs.namenode.fs-limits.min-block-size=${BLOCK_BYTES_MIN}`
      throw new RemoteError('IOException', message)
    }
    const resolved = this.#namespace.resolve(path)
    const { target } = resolved
    if (target?.type === 'directory') {
      throw new RemoteError('FileAlreadyExistsException', `${resolved.path} already exists as a directory`)
    }
    const overwritten = options.overwrite && target !== undefined
    check(user, resolved, { creating: true, ancestor: 'WRITE', ...(overwritten ? { target: 'WRITE' } : {}) })
    if (target !== undefined && !options.overwrite) throw alreadyExists(target)
    if (!options.createParent && resolved.parent === undefined) {
      throw notFound(`Parent directory doesn't exist: ${parentPath(resolved)}`)
    }
    this.#makeMissing(user, resolved, resolved.components.length - 1, 0o755)
    const { permission, replication, blockBytes } = options
    if (target === undefined) this.#checkNewName(resolved.path)
    const inode = { ...this.#newAttributes(user, resolved.path, permission), replication, blockBytes }
    this.#namespace.commit({ type: 'create', path: resolved.path, inode })
    return this.#openFile(inode.id, resolved.path)
  }

  append(user: User, path: string): FileInode {
    this.#requireWrite(`append to file${path}`)
    const resolved = this.#namespace.resolve(path)
    check(user, resolved, { target: 'WRITE' })
    const file = this.#fileAt(resolved)
    if (file.open) throw alreadyExists(file)
    this.#namespace.commit({ type: 'open', id: file.id })
    return file
  }

  /** Makes room for an open file that grows to so many bytes: whole blocks, as quotas see them. */
  allocate(id: number, path: string, bytes: number): void {
    const file = this.#openFile(id, path)
    const { blockBytes, replication } = file
    file.allocatedBytes ||= file.bytes - (file.bytes % blockBytes)
    while (file.allocatedBytes < bytes) {
      const grown = file.allocatedBytes + blockBytes
      const space = (grown - Math.max(file.allocatedBytes, file.bytes)) * replication
      checkQuotas(file.parent, { names: 0, space })
      file.allocatedBytes = grown
    }
  }

  /** Shortens a file; whether the new end is a block's, so that in HDFS it is done at once. */
  truncate(user: User, path: string, bytes: number): boolean {
    this.#requireWrite(`truncate for ${path}`)
    const resolved = this.#namespace.resolve(path)
    check(user, resolved, { target: 'WRITE' })
    const file = this.#fileAt(resolved)
    if (file.open) throw alreadyExists(file)
    if (bytes > file.bytes) {
      const message = `Cannot truncate to a larger file size. Current size: ${file.bytes}, truncate size: ${bytes}.`
      throw new RemoteError('HadoopIllegalArgumentException', message)
    }
    const isWhole = bytes === file.bytes || bytes % file.blockBytes === 0
    this.#namespace.commit({ type: 'close', id: file.id, bytes, ms: this.#now() })
    return isWhole
  }

  /** Ends the writing: readers see the bytes. */
  complete(id: number, path: string, bytes: number): void {
    const file = this.#openFile(id, path)
    this.#namespace.commit({ type: 'close', id: file.id, bytes, ms: this.#now() })
  }

  /** A file that the user may read. */
  readable(user: User, path: string): FileInode {
    this.#requireRead()
    const resolved = this.#namespace.resolve(path)
    check(user, resolved, { target: 'READ' })
    return this.#fileAt(resolved)
  }

  /** The old rename: into an existing directory, and `false` for most of what cannot be. */
  rename(user: User, from: string, destination: string): boolean {
    this.#requireWrite(`rename ${from}`)
    const isDirectory = this.#namespace.resolve(destination).target?.type === 'directory'
    const source = this.#namespace.resolve(from)
    const to =
      isDirectory && source.path !== destination ? `${destination}/${source.components.at(-1)}` : destination
    const target = this.#checkRename(user, source, to)
    if (source.target === undefined || source.components.length === 0) return false
    if (source.path === target.path) return true
    if (target.path.startsWith(`${source.path}/`) || target.target !== undefined) return false
    if (target.parent?.type !== 'directory') return false
    checkMove(source.target, target)
    this.#namespace.commit({ type: 'rename', from: source.path, to: target.path, ms: this.#now() })
    return true
  }

  /** `rename2`, behind `renameoptions`: the destination is the new name, and every obstacle is an exception. */
  rename2(user: User, from: string, destination: string, overwrite: boolean): void {
    this.#requireWrite(`rename ${from}`)
    const source = this.#namespace.resolve(from)
    const target = this.#checkRename(user, source, destination)
    if (source.target === undefined) throw notFound(`rename source ${source.path} is not found.`)
    if (source.components.length === 0)
      throw new RemoteError('IOException', 'rename source cannot be the root')
    if (source.path === target.path) {
      const message = `The source ${source.path} and destination ${target.path} are the same`
      throw new RemoteError('FileAlreadyExistsException', message)
    }
    if (target.path.startsWith(`${source.path}/`)) {
      const message = `Rename destination ${target.path} is a directory or file under source ${source.path}`
      throw new RemoteError('IOException', message)
    }
    if (target.components.length === 0) {
      throw new RemoteError('IOException', 'rename destination cannot be the root')
    }
    if (target.target !== undefined) checkOverwrite(source.target, target.target, target.path, overwrite)
    if (target.parent === undefined) throw notFound(`rename destination parent ${target.path} not found.`)
    checkMove(source.target, target)
    this.#namespace.commit({ type: 'rename', from: source.path, to: target.path, ms: this.#now() })
  }

  delete(user: User, path: string, recursive: boolean): boolean {
    this.#requireWrite(`delete ${path}`)
    const resolved = this.#namespace.resolve(path)
    const { target } = resolved
    const full = target?.type === 'directory' && target.children.size > 0
    if (full && !recursive) {
      const message = `\`${resolved.path} is non empty': Directory is not empty`
      throw new RemoteError('PathIsNotEmptyDirectoryException', message)
    }
    check(user, resolved, { parent: 'WRITE', ...(full ? { directories: 'ALL' } : {}) })
    if (target?.parent === undefined) return false
    this.#namespace.commit({ type: 'delete', path: resolved.path, ms: this.#now() })
    return true
  }

  setPermission(user: User, path: string, permission: number): void {
    this.#requireWrite(`set permission for ${path}`)
    this.#change(this.#owned(user, path), { permission })
  }

  setOwner(user: User, path: string, owner: string | undefined, group: string | undefined): void {
    this.#requireWrite(`set owner for ${path}`)
    const inode = this.#owned(user, path)
    if (!user.superuser && owner !== undefined && owner !== inode.owner) {
      const message = `User ${user.name} is not a super user (non-super user cannot change owner).`
      throw new RemoteError('AccessControlException', message)
    }
    if (!user.superuser && group !== undefined && !user.groups.includes(group)) {
      throw new RemoteError('AccessControlException', `User ${user.name} does not belong to ${group}`)
    }
    this.#change(inode, { owner: owner ?? inode.owner, group: group ?? inode.group })
  }

  /** False for what is no file. */
  setReplication(user: User, path: string, replication: number): boolean {
    this.#requireWrite(`set replication for ${path}`)
    if (replication > REPLICATION_MAX) {
      const message = `Requested replication factor of ${replication} exceeds maximum of ${REPLICATION_MAX} for ${path}`
      throw new RemoteError('IOException', message)
    }
    const resolved = this.#namespace.resolve(path)
    check(user, resolved, { target: 'WRITE' })
    const { target } = resolved
    if (target?.type !== 'file') return false
    checkQuotas(target.parent, { names: 0, space: target.bytes * (replication - target.replication) })
    this.#change(target, { replication })
    return true
  }

  /** Milliseconds; what is `undefined` stays. */
  setTimes(user: User, path: string, modifiedMs: number | undefined, accessedMs: number | undefined): void {
    this.#requireWrite(`set times ${path}`)
    const resolved = this.#namespace.resolve(path)
    check(user, resolved, { target: 'WRITE' })
    if (resolved.target === undefined) throw notFound(`File/Directory ${resolved.path} does not exist.`)
    this.#change(resolved.target, {
      ...(modifiedMs !== undefined && { modifiedMs }),
      ...(accessedMs !== undefined && { accessedMs })
    })
  }

  setQuotas(user: User, path: string, quotas: Pick<Changes, 'namespaceQuota' | 'spaceQuota'>): void {
    this.#requireWrite(`set quota on ${path}`)
    if (!user.superuser) {
      const message = `Access denied for user ${user.name}. Superuser privilege is required for operation setQuota`
      throw new RemoteError('AccessControlException', message)
    }
    const { target } = this.#namespace.resolve(path)
    if (target === undefined) throw notFound(`Directory does not exist: ${path}`)
    if (target.type === 'file') {
      throw new RemoteError('PathIsNotDirectoryException', `\`${path}': Is not a directory`)
    }
    this.#change(target, quotas)
  }

  #requireRead(): void {
    if (this.state === 'standby') throw standby('READ')
  }

  #requireWrite(what: string): void {
    if (this.state === 'standby') throw standby('WRITE')
    if (this.state !== 'safe-mode') return
    throw new RemoteError(
      'SafeModeException',
      `Cannot ${what}. Name node is in safe mode.\nIt was turned on manually. Use "hdfs dfsadmin -safemode leave" to turn safe mode off. NamenodeHostName:localhost`
    )
  }

  #checkRename(user: User, source: Resolved, destination: string): Resolved {
    const target = this.#namespace.resolve(destination)
    check(user, source)
    check(user, target, { creating: true })
    check(user, source, { parent: 'WRITE' })
    check(user, target, { creating: true, ancestor: 'WRITE' })
    return target
  }

  #change(inode: Inode, changes: Changes): void {
    this.#namespace.commit({ type: 'attributes', path: pathOf(inode), ...changes })
  }

  #checkNewName(path: string): void {
    checkQuotas(this.#namespace.resolve(path).parent, { names: 1, space: 0 })
  }

  #owned(user: User, path: string): Inode {
    const resolved = this.#namespace.resolve(path)
    check(user, resolved, { owner: true })
    if (resolved.target === undefined) throw notFound(`Directory/File does not exist ${resolved.path}`)
    return resolved.target
  }

  #fileAt({ target, path }: Resolved): FileInode {
    if (target === undefined) throw notFound(`File does not exist: ${path}`)
    if (target.type === 'directory') throw notFound(`Path is not a file: ${path}`)
    return target
  }

  #openFile(id: number, path: string): FileInode {
    const file = this.#namespace.file(id)
    if (file?.open === true) return file
    const message = `File does not exist: ${path} (inode ${id}) Holder embedded does not have any open files.`
    throw notFound(message)
  }

  /** Makes the directories of the path's first `depth` components; those between get `u+wx`, as in HDFS. */
  #makeMissing(user: User, resolved: Resolved, depth: number, permission: number): void {
    for (let at = resolved.inodes.length; at <= depth; at++) {
      const path = `/${resolved.components.slice(0, at).join('/')}`
      const between = at < resolved.components.length
      this.#checkNewName(path)
      const inode = this.#newAttributes(user, path, between ? permission | 0o300 : permission)
      this.#namespace.commit({ type: 'mkdir', path, inode })
    }
  }

  /** As in BSD, the group is the parent's. */
  #newAttributes(user: User, path: string, permission: number) {
    const group = this.#namespace.resolve(path).parent?.group ?? 'supergroup'
    return { id: this.#namespace.newId(), owner: user.name, group, permission, ms: this.#now() }
  }
}

function checkOverwrite(source: Inode, target: Inode, path: string, overwrite: boolean): void {
  if (source.type !== target.type) {
    throw new RemoteError(
      'IOException',
      `Source ${pathOf(source)} and destination ${path} must both be directories`
    )
  }
  if (!overwrite) {
    throw new RemoteError('FileAlreadyExistsException', `rename destination ${path} already exists`)
  }
  if (target.type === 'directory' && target.children.size > 0) {
    throw new RemoteError('IOException', `rename destination directory is not empty: ${path}`)
  }
}

/** Quotas count what moves in against what it replaces, up to where source and destination meet. */
function checkMove(source: Inode, { parent, target }: Resolved): void {
  if (parent === undefined) return
  const moved = usageOf(source)
  const replaced = target === undefined ? { names: 0, space: 0 } : usageOf(target)
  const added = { names: moved.names - replaced.names, space: moved.space - replaced.space }
  checkQuotas(parent, added, commonAncestor(source, parent))
}

function alreadyExists(file: Inode): RemoteError {
  const path = pathOf(file)
  if (file.type === 'file' && file.open) {
    const message = `Failed to CREATE_FILE ${path} for embedded on 127.0.0.1 because this file lease is currently owned by embedded on 127.0.0.1`
    return new RemoteError('AlreadyBeingCreatedException', message)
  }
  return new RemoteError('FileAlreadyExistsException', `${path} for client 127.0.0.1 already exists`)
}

function standby(category: 'READ' | 'WRITE'): RemoteError {
  const message = `Operation category ${category} is not supported in state standby. Visit https://s.apache.org/sbnn-error`
  return new RemoteError('StandbyException', message)
}

function notFound(message: string): RemoteError {
  return new RemoteError('FileNotFoundException', message)
}

function parentPath(resolved: Resolved): string {
  return `/${resolved.components.slice(0, -1).join('/')}`
}
