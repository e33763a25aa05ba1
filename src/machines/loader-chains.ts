import type { LoadableEntry, Survey } from '../actors/redshift/log.ts'
import type { FoundChain } from '../actors/store/discover.ts'

/**
 * What the loader knows of its chains, as data, and how each answer changes it. Pure and total.
 *
 * `position` is always a number that the warehouse said; nothing that a log tells moves it.
 */
export interface Chain extends FoundChain {
  /** Next offset to load, as the warehouse says; undefined until it has said so. */
  readonly position: number | undefined
  /** The greatest offset that the log is known to reach; -1 before the first survey. */
  readonly end: number
  readonly status: ChainStatus
  /** `single` after a batch was refused: one entry at a time finds the one to blame. */
  readonly pace: 'batch' | 'single'
}

export type ChainStatus =
  /** Everything that can be loaded is loaded or about to be. */
  | { readonly type: 'following' }
  /** It will go on by itself. */
  | { readonly type: 'waiting'; readonly reason: string }
  /** The entry at the position cannot be loaded: looked at again at every discovery. */
  | { readonly type: 'held'; readonly reason: string }
  /** Offsets [from, to) can no longer be loaded. Never skipped silently: looked at again at every discovery. */
  | { readonly type: 'data-loss'; readonly from: number; readonly to: number; readonly reason: string }
  /** The generation is closed and loaded to its end. */
  | { readonly type: 'closed' }

/** What the log of one chain said, read from `position` on; `unreadable` when it is not a log. */
export interface Finding extends Omit<Survey, 'next'> {
  readonly chain: string
  readonly position: number
  readonly next: Survey['next'] | { readonly type: 'unreadable'; readonly reason: string }
}

/** Entries [from, to) of one chain, loaded in one transaction. */
export interface Batch {
  readonly chain: string
  readonly from: number
  readonly to: number
  readonly entries: readonly LoadableEntry[]
  /** Whether the log is known to go on behind `to`. */
  readonly rest: 'none' | 'some'
}

export type Chains = readonly Chain[]

const following: ChainStatus = { type: 'following' }

/** Adds chains that are new; what is known of the others stays. Ordered by name, so that every view is stable. */
export function discovered(chains: Chains, found: readonly FoundChain[]): Chains {
  const known = new Set(chains.map(({ chain }) => chain))
  const added = found
    .filter(({ chain }) => !known.has(chain))
    .map((chain): Chain => ({ ...chain, position: undefined, end: -1, status: following, pace: 'batch' }))
  return added.length === 0 ? chains : [...chains, ...added].sort((a, b) => (a.chain < b.chain ? -1 : 1))
}

/** Takes over the warehouse's word. */
export function positioned(chains: Chains, positions: ReadonlyMap<string, number>): Chains {
  return chains.map((chain) => {
    const position = positions.get(chain.chain)
    return position === undefined || position === chain.position ? chain : moved(chain, position)
  })
}

/** One chain's position changed, by us or by another loader: what was held there no longer stands in its way. */
export function withPosition(chains: Chains, name: string, position: number): Chains {
  return update(chains, name, (chain) => moved(chain, position))
}

function moved(chain: Chain, position: number): Chain {
  return { ...chain, position, end: Math.max(chain.end, position), status: following }
}

/** Chains whose log is worth reading: those held as well when `thorough`, because the cause may have gone. */
export function toSurvey(chains: Chains, thorough: boolean): Chains {
  return chains.filter((chain) => {
    if (chain.position === undefined || chain.status.type === 'closed') return false
    if (unfinishedPredecessor(chains, chain) !== undefined) return false
    return thorough || (chain.status.type !== 'held' && chain.status.type !== 'data-loss')
  })
}

/** Notes for each chain what its log said. */
export function surveyed(chains: Chains, findings: readonly Finding[]): Chains {
  const byChain = new Map(findings.map((finding) => [finding.chain, finding]))
  const noted = chains.map((chain) => {
    const finding = byChain.get(chain.chain)
    if (finding === undefined || finding.position !== chain.position) return chain
    return { ...chain, end: Math.max(chain.end, finding.end), status: statusAfter(chain, finding) }
  })
  return noted.map((chain) => {
    const before = unfinishedPredecessor(noted, chain)
    if (before === undefined || chain.status.type === 'closed') return chain
    return {
      ...chain,
      status: { type: 'waiting', reason: `generation ${before.id.generation} is not loaded yet` }
    }
  })
}

function statusAfter(chain: Chain, { entries, next }: Finding): ChainStatus {
  // What stands at the position decides, and it stays held until a load has succeeded.
  if (entries.length > 0) return chain.status.type === 'waiting' ? following : chain.status
  switch (next.type) {
    case 'unpublished':
      return { type: 'waiting', reason: `${next.path} is not published yet` }
    case 'closed':
      return { type: 'closed' }
    case 'lost':
      return {
        type: 'data-loss',
        from: next.from,
        to: next.to,
        reason: 'the log no longer has these offsets'
      }
    case 'unreadable':
      return { type: 'held', reason: next.reason }
    default:
      return following
  }
}

/** The batches that the findings allow, for chains that are still where they were read. */
export function batchesOf(chains: Chains, findings: readonly Finding[]): readonly Batch[] {
  return findings.flatMap(({ chain: name, position, entries, next }): Batch[] => {
    const chain = chains.find((each) => each.chain === name)
    const last = entries.at(-1)
    if (chain === undefined || chain.position !== position || last === undefined) return []
    const rest = next.type === 'more' || next.type === 'closed' ? 'some' : 'none'
    return [{ chain: name, from: position, to: last.to, entries, rest }]
  })
}

export function loaded(chains: Chains, batch: Batch): Chains {
  return update(chains, batch.chain, (chain) => ({ ...moved(chain, batch.to), pace: 'batch' }))
}

export function busy(chains: Chains, name: string): Chains {
  return update(chains, name, (chain) => ({
    ...chain,
    status: { type: 'waiting', reason: 'another loader holds its position' }
  }))
}

/** The rows or files of a batch cannot be loaded: find the entry, and when it is alone, hold the chain there. */
export function refused(
  chains: Chains,
  batch: Batch,
  fault: { readonly code: string; readonly message: string }
): Chains {
  return update(chains, batch.chain, (chain) => {
    if (batch.entries.length > 1) return { ...chain, pace: 'single' }
    const reason = `${fault.code}: ${fault.message}`
    const status: ChainStatus =
      fault.code === 'file-missing'
        ? { type: 'data-loss', from: batch.from, to: batch.to, reason }
        : { type: 'held', reason }
    return { ...chain, status }
  })
}

/** An earlier generation of the same partition that is not loaded to its end: order demands that it comes first. */
function unfinishedPredecessor(chains: Chains, { id }: Chain): Chain | undefined {
  return chains.find(
    (other) =>
      other.id.generation < id.generation &&
      other.id.partition === id.partition &&
      other.id.topicId === id.topicId &&
      other.id.topic === id.topic &&
      other.status.type !== 'closed'
  )
}

function update(chains: Chains, name: string, change: (chain: Chain) => Chain): Chains {
  return chains.map((chain) => (chain.chain === name ? change(chain) : chain))
}
