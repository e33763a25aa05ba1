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
}

export interface FileInode extends InodeBase {
  readonly type: 'file'
  /** Bytes that readers see: 0 until the file is first closed. */
  bytes: number
  /** Being written: only its writer may change it. */
  open: boolean
}

export interface DirectoryInode extends InodeBase {
  readonly type: 'directory'
  readonly children: Map<string, Inode>
}

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
