import { RemoteError } from './errors.ts'
import { type DirectoryInode, type Inode, pathOf, type Resolved, subtree } from './inode.ts'

/** What HDFS's permission checker asks of an inode, named as in its messages, with the mode bits it needs. */
const accesses = { EXECUTE: 1, WRITE: 2, READ: 4, READ_EXECUTE: 5, ALL: 7 } as const
export type Access = keyof typeof accesses

export interface User {
  readonly name: string
  readonly groups: readonly string[]
  readonly superuser: boolean
}

/** Conditions of one operation on a path (HDFS permissions guide; `FSPermissionChecker`). */
export interface Need {
  /** The path may be created: a file on the way is then `ParentNotDirectoryException`, else `AccessControlException`. */
  readonly creating?: boolean
  readonly owner?: boolean
  /** Of the deepest directory that exists above the path's last component. */
  readonly ancestor?: Access
  /** Of the parent; also asks the parent's sticky bit. */
  readonly parent?: Access
  /** Of the path itself, when it exists. */
  readonly target?: Access
  /** Of every directory below and including the path. */
  readonly directories?: Access
}

/** Every directory on the way must be one and must let the user through; then the needs. Throws `RemoteError`. */
export function check(user: User, resolved: Resolved, need: Need = {}): void {
  const above = resolved.inodes.slice(0, Math.max(resolved.components.length, 1))
  for (const inode of above) {
    if (inode.type === 'file' && resolved.components.length > 0) {
      const exception = need.creating === true ? 'ParentNotDirectoryException' : 'AccessControlException'
      throw new RemoteError(exception, `${pathOf(inode)} (is not a directory)`)
    }
    if (resolved.components.length > 0) allow(user, inode, 'EXECUTE')
  }
  const deepest = above.at(-1)
  if (need.parent !== undefined && resolved.target !== undefined) checkSticky(user, resolved)
  if (need.ancestor !== undefined && deepest !== undefined) allow(user, deepest, need.ancestor)
  if (need.parent !== undefined && resolved.parent !== undefined) allow(user, resolved.parent, need.parent)
  if (resolved.target === undefined) return
  if (need.target !== undefined) allow(user, resolved.target, need.target)
  if (need.directories !== undefined) {
    for (const inode of subtree(resolved.target)) {
      if (inode.type === 'directory') allow(user, inode, need.directories)
    }
  }
  if (need.owner === true && !user.superuser && resolved.target.owner !== user.name) {
    throw new RemoteError(
      'AccessControlException',
      `Permission denied. user=${user.name} is not the owner of inode=${resolved.path}`
    )
  }
}

/** `drwxr-xr-x`, with `t` for the sticky bit. */
export function symbolic(inode: Inode): string {
  const bits = [...'rwxrwxrwx']
    .map((letter, at) => ((inode.permission >> (8 - at)) & 1 ? letter : '-'))
    .join('')
  const sticky =
    (inode.permission & 0o1000) === 0 ? bits : bits.slice(0, 8) + (bits.endsWith('x') ? 't' : 'T')
  return `${inode.type === 'directory' ? 'd' : '-'}${sticky}`
}

function allow(user: User, inode: Inode, access: Access): void {
  if (user.superuser) return
  const shift = inode.owner === user.name ? 6 : user.groups.includes(inode.group) ? 3 : 0
  const wanted = accesses[access]
  if (((inode.permission >> shift) & wanted) === wanted) return
  throw new RemoteError(
    'AccessControlException',
    `Permission denied: user=${user.name}, access=${access}, inode="${pathOf(inode)}":${described(inode)}`
  )
}

function checkSticky(user: User, { parent, target }: Resolved): void {
  if (user.superuser || parent?.type !== 'directory' || target === undefined) return
  if ((parent.permission & 0o1000) === 0 || parent.owner === user.name || target.owner === user.name) return
  throw new RemoteError(
    'AccessControlException',
    `Permission denied by sticky bit: user=${user.name}, path="${pathOf(target)}":${described(target)}, parent="${pathOf(parent)}":${described(parent)}`
  )
}

function described(inode: Inode | DirectoryInode): string {
  return `${inode.owner}:${inode.group}:${symbolic(inode)}`
}
