import { RemoteError } from './errors.ts'
import { type DirectoryInode, type FileInode, type Inode, NO_QUOTA, pathOf, subtree } from './inode.ts'

/** What counts against quotas: of an inode with all below it, or what a change adds. */
export interface Usage {
  /** Files and directories. */
  readonly names: number
  /** Bytes times replication. */
  readonly space: number
}

/** A file that is being written counts whole blocks. */
export function spaceOf({ bytes, allocatedBytes, replication }: FileInode): number {
  return Math.max(bytes, allocatedBytes) * replication
}

export function usageOf(inode: Inode): Usage {
  let names = 0
  let space = 0
  for (const one of subtree(inode)) {
    names++
    if (one.type === 'file') space += spaceOf(one)
  }
  return { names, space }
}

/**
 * Whether the directory and those above it, up to and without `end`, may take that much more. As in HDFS, what adds
 * nothing is never refused. Throws `RemoteError`.
 */
export function checkQuotas(directory: Inode | undefined, added: Usage, end?: Inode): void {
  for (let at = directory; at !== undefined && at !== end; at = at.parent) {
    if (at.type === 'directory') checkDirectory(at, added)
  }
}

function checkDirectory(directory: DirectoryInode, added: Usage): void {
  const { namespaceQuota, spaceQuota } = directory
  if (namespaceQuota === NO_QUOTA && spaceQuota === NO_QUOTA) return
  const usage = usageOf(directory)
  const names = usage.names + added.names
  if (namespaceQuota !== NO_QUOTA && added.names > 0 && names > namespaceQuota) {
    const message = `The NameSpace quota (directories and files) of directory ${pathOf(directory)} is exceeded: quota=${namespaceQuota} file count=${names}`
    throw new RemoteError('NSQuotaExceededException', message)
  }
  const space = usage.space + added.space
  if (spaceQuota !== NO_QUOTA && added.space > 0 && space > spaceQuota) {
    const message = `The DiskSpace quota of ${pathOf(directory)} is exceeded: quota = ${spaceQuota} B = ${withPrefix(spaceQuota)} but diskspace consumed = ${space} B = ${withPrefix(space)}`
    throw new RemoteError('DSQuotaExceededException', message)
  }
}

/** The nearest directory that holds both. */
export function commonAncestor(a: Inode, b: Inode): Inode | undefined {
  const above = new Set<Inode>()
  for (let at: Inode | undefined = a; at !== undefined; at = at.parent) above.add(at)
  for (let at: Inode | undefined = b; at !== undefined; at = at.parent) if (above.has(at)) return at
  return undefined
}

/** As Hadoop writes bytes: `12 B`, `2.86 MB`, and `128 MB` where nothing is left over. */
function withPrefix(bytes: number): string {
  const prefixes = ['', 'K', 'M', 'G', 'T', 'P']
  let at = 0
  while (at + 1 < prefixes.length && bytes >= 1024 ** (at + 1)) at++
  const value = bytes / 1024 ** at
  return `${Number.isInteger(value) ? value : value.toFixed(2)} ${prefixes[at]}B`
}
