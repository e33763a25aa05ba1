import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Journal } from '../journal.ts'
import {
  type DirectoryInode,
  type FileInode,
  type Inode,
  NO_QUOTA,
  pathOf,
  type Resolved,
  resolve,
  subtree
} from './inode.ts'

/** One change of the namespace, as HDFS's edit log has them; every check was made before. */
export type Edit =
  | { readonly type: 'mkdir'; readonly path: string; readonly inode: Attributes }
  | { readonly type: 'create'; readonly path: string; readonly inode: Attributes }
  | { readonly type: 'open'; readonly id: number }
  | { readonly type: 'close'; readonly id: number; readonly bytes: number; readonly ms: number }
  | { readonly type: 'rename'; readonly from: string; readonly to: string; readonly ms: number }
  | { readonly type: 'delete'; readonly path: string; readonly ms: number }
  | ({ readonly type: 'attributes'; readonly path: string } & Changes)

export interface Attributes {
  readonly id: number
  readonly owner: string
  readonly group: string
  readonly permission: number
  readonly ms: number
  /** When it is not `ms`. */
  readonly accessedMs?: number
  /** Of files; `DEFAULT_REPLICATION` and `DEFAULT_BLOCK_BYTES` when absent. */
  readonly replication?: number
  readonly blockBytes?: number
}

/** What of an inode can be set. */
export interface Changes {
  readonly owner?: string
  readonly group?: string
  readonly permission?: number
  readonly replication?: number
  readonly modifiedMs?: number
  readonly accessedMs?: number
  readonly namespaceQuota?: number
  readonly spaceQuota?: number
}

export const DEFAULT_REPLICATION = 1
export const DEFAULT_BLOCK_BYTES = 128 * 1024 * 1024

/** A longer history is replaced by a shorter one that says the same. */
const COMPACT_EDITS_MIN = 20_000

/**
 * The tree of names in memory, its edit log and the files' bytes (`blocks/<inode id>`) on disk.
 *
 * A file that was being written when the process died is closed at the next start with the bytes that had arrived, as
 * HDFS's lease recovery does: whoever cares about a whole file writes it under another name and renames.
 */
export class Namespace {
  readonly #blocks: string
  readonly #journal: Journal<Edit>
  readonly #files = new Map<number, FileInode>()
  #lastId = 16_384
  readonly #compactMin: number
  #compactAt: number
  readonly root: DirectoryInode

  constructor(dataDir: string, superuser: string, nowMs: number, compactMin = COMPACT_EDITS_MIN) {
    this.#compactMin = compactMin
    this.#compactAt = compactMin
    this.#blocks = join(dataDir, 'blocks')
    mkdirSync(this.#blocks, { recursive: true })
    this.root = directory('', undefined, {
      id: ++this.#lastId,
      owner: superuser,
      group: 'supergroup',
      permission: 0o755,
      ms: nowMs
    })
    this.#journal = new Journal<Edit>(join(dataDir, 'edits.ndjson'), (edit) => this.#apply(edit))
    this.#recoverLeases(nowMs)
    this.#removeUnnamedBlocks()
    this.#compactIfLong()
  }

  resolve(path: string): Resolved {
    return resolve(this.root, path)
  }

  file(id: number): FileInode | undefined {
    return this.#files.get(id)
  }

  newId(): number {
    return ++this.#lastId
  }

  blockPath(id: number): string {
    return join(this.#blocks, String(id))
  }

  /** Makes an edit durable, then visible. */
  commit(edit: Edit): void {
    this.#journal.append(edit)
    for (const file of this.#apply(edit)) rmSync(this.blockPath(file.id), { force: true })
    this.#compactIfLong()
  }

  close(): void {
    this.#journal.close()
  }

  /** Returns the files that have gone. */
  #apply(edit: Edit): FileInode[] {
    switch (edit.type) {
      case 'mkdir':
      case 'create':
        return this.#add(edit)
      case 'open':
      case 'close': {
        const file = this.#files.get(edit.id)
        if (file === undefined) return []
        file.open = edit.type === 'open'
        if (edit.type === 'close') {
          file.allocatedBytes = 0
          file.bytes = edit.bytes
          file.modifiedMs = edit.ms
        }
        return []
      }
      case 'rename':
        return this.#rename(edit.from, edit.to, edit.ms)
      case 'delete':
        return this.#detach(this.resolve(edit.path).target, edit.ms)
      case 'attributes': {
        const { type: _, path, ...changes } = edit
        Object.assign(this.resolve(path).target ?? {}, changes)
        return []
      }
    }
  }

  #add(edit: Extract<Edit, { type: 'mkdir' | 'create' }>): FileInode[] {
    const { parent, target, components } = this.resolve(edit.path)
    const name = components.at(-1)
    this.#lastId = Math.max(this.#lastId, edit.inode.id)
    if (parent?.type !== 'directory' || name === undefined) return []
    const gone = this.#detach(target, edit.inode.ms)
    const inode = (edit.type === 'mkdir' ? directory : newFile)(name, parent, edit.inode)
    attach(parent, inode, edit.inode.ms)
    if (inode.type === 'file') this.#files.set(inode.id, inode)
    return gone
  }

  #rename(from: string, to: string, ms: number): FileInode[] {
    const inode = this.resolve(from).target
    const { parent, target, components } = this.resolve(to)
    const name = components.at(-1)
    if (inode?.parent === undefined || parent?.type !== 'directory' || name === undefined) return []
    const gone = this.#detach(target, ms)
    inode.parent.children.delete(inode.name)
    inode.parent.modifiedMs = ms
    inode.name = name
    attach(parent, inode, ms)
    return gone
  }

  #detach(inode: Inode | undefined, ms: number): FileInode[] {
    if (inode?.parent === undefined) return []
    inode.parent.children.delete(inode.name)
    inode.parent.modifiedMs = ms
    const gone = [...subtree(inode)].filter((one) => one.type === 'file')
    for (const file of gone) this.#files.delete(file.id)
    return gone
  }

  #recoverLeases(ms: number): void {
    for (const file of this.#files.values()) {
      if (!file.open) continue
      const bytes = statSync(this.blockPath(file.id), { throwIfNoEntry: false })?.size ?? 0
      this.commit({ type: 'close', id: file.id, bytes, ms })
    }
  }

  #removeUnnamedBlocks(): void {
    for (const name of readdirSync(this.#blocks)) {
      if (!this.#files.has(Number(name))) rmSync(join(this.#blocks, name))
    }
  }

  #compactIfLong(): void {
    if (this.#journal.entries < this.#compactAt) return
    const edits = historyOf(this.root)
    this.#journal.compact(edits)
    this.#compactAt = Math.max(this.#compactMin, 2 * edits.length)
  }
}

/** The shortest history of what is there. Whoever is added changes its directory's time, so those are set last. */
function historyOf(root: DirectoryInode): Edit[] {
  const inodes = [...subtree(root)]
  return [...inodes.flatMap(creationOf), ...inodes.flatMap(settlingOf)]
}

function creationOf(inode: Inode): Edit[] {
  const { id, owner, group, permission, accessedMs, modifiedMs: ms } = inode
  const path = pathOf(inode)
  const attributes = { id, owner, group, permission, accessedMs, ms }
  if (path === '/') return []
  if (inode.type === 'directory') return [{ type: 'mkdir', path, inode: attributes }]
  const { replication, blockBytes } = inode
  const created: Edit = { type: 'create', path, inode: { ...attributes, replication, blockBytes } }
  const closed: Edit = { type: 'close', id, bytes: inode.bytes, ms }
  return inode.open ? [created, closed, { type: 'open', id }] : [created, closed]
}

function settlingOf(inode: Inode): Edit[] {
  if (inode.type === 'file') return []
  const { owner, group, permission, modifiedMs, namespaceQuota, spaceQuota } = inode
  const changes = { owner, group, permission, modifiedMs, namespaceQuota, spaceQuota }
  return [{ type: 'attributes', path: pathOf(inode), ...changes }]
}

function directory(name: string, parent: DirectoryInode | undefined, attributes: Attributes): DirectoryInode {
  const quotas = { namespaceQuota: NO_QUOTA, spaceQuota: NO_QUOTA }
  const accessedMs = attributes.accessedMs ?? 0
  return {
    ...{ type: 'directory', name, parent, children: new Map(), ...quotas },
    ...{ ...inodeFields(attributes), accessedMs }
  }
}

function newFile(name: string, parent: DirectoryInode, attributes: Attributes): FileInode {
  const { replication = DEFAULT_REPLICATION, blockBytes = DEFAULT_BLOCK_BYTES } = attributes
  return {
    ...{ type: 'file', name, parent, bytes: 0, open: true, replication, blockBytes, allocatedBytes: 0 },
    ...inodeFields(attributes)
  }
}

function inodeFields({ id, owner, group, permission, ms, accessedMs = ms }: Attributes) {
  return { id, owner, group, permission, modifiedMs: ms, accessedMs }
}

function attach(parent: DirectoryInode, inode: Inode, ms: number): void {
  inode.parent = parent
  parent.children.set(inode.name, inode)
  parent.modifiedMs = ms
}
