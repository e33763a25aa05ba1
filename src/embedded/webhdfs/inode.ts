/** A file or directory of the namespace. */
export type Inode = FileInode | DirectoryInode

interface InodeBase {
  readonly id: number
  name: string
  parent: DirectoryInode | undefined
  owner: string
  group: string
  /** Mode bits with the sticky bit, for example 0o1777. */
  permission: number
  modifiedMs: number
  accessedMs: number
}

export interface FileInode extends InodeBase {
  readonly type: 'file'
  /** Bytes that readers see: 0 until the file is first closed. */
  bytes: number
  /** Being written: only its writer may change it. */
  open: boolean
  replication: number
  blockBytes: number
  /** Bytes of the whole blocks that are being written, which quotas count already; 0 when closed. */
  allocatedBytes: number
}

export interface DirectoryInode extends InodeBase {
  readonly type: 'directory'
  readonly children: Map<string, Inode>
  /** Most names below and including this one; `NO_QUOTA` for any number. */
  namespaceQuota: number
  /** Most bytes below, times replication; `NO_QUOTA` for any number. */
  spaceQuota: number
}

export const NO_QUOTA = -1

/** A path's components, from the root's first child on; `/` has none. */
export type Components = readonly string[]

/** A path resolved as far as it exists. */
export interface Resolved {
  readonly path: string
  readonly components: Components
  /** The inodes along the path, the root first; shorter than `components` + 1 when something is missing. */
  readonly inodes: readonly Inode[]
  /** The inode of the whole path. */
  readonly target: Inode | undefined
  /** The inode of the path without its last component; undefined when missing, or for the root. */
  readonly parent: Inode | undefined
}

export function resolve(root: DirectoryInode, path: string): Resolved {
  const components = path.split('/').filter((name) => name !== '')
  const inodes: Inode[] = [root]
  for (const name of components) {
    const last = inodes.at(-1)
    const next = last?.type === 'directory' ? last.children.get(name) : undefined
    if (next === undefined) break
    inodes.push(next)
  }
  return {
    path: `/${components.join('/')}`,
    components,
    inodes,
    target: inodes[components.length],
    parent: components.length === 0 ? undefined : inodes[components.length - 1]
  }
}

/** HDFS's order: by the bytes of the names, which Java takes as signed, so that what is not ASCII comes first. */
export function compareNames(a: string, b: string): number {
  const [left, right] = [new Int8Array(Buffer.from(a)), new Int8Array(Buffer.from(b))]
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

export function pathOf(inode: Inode): string {
  if (inode.parent === undefined) return '/'
  const above = pathOf(inode.parent)
  return above === '/' ? `/${inode.name}` : `${above}/${inode.name}`
}

/** All inodes below and including this one, parents before children. */
export function* subtree(inode: Inode): Iterable<Inode> {
  yield inode
  if (inode.type === 'directory') for (const child of inode.children.values()) yield* subtree(child)
}
