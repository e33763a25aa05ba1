import type { ChainName, LogPosition } from '../actors/hive/bookmark.ts'
import type { LogPiece } from '../actors/hive/survey.ts'
import type { Entry } from '../actors/store/entry.ts'
import { chainId } from './sink-chains.ts'

/** What the Hive side of a sink knows of its chains: plain data and total functions, used by `hive.ts`. */

export interface HiveChain extends ChainName {
  /** `behind`: the log has, or may have, entries after `read`. */
  readonly life: 'behind' | 'following'
  /** Up to where the partitions of all files are in Hive, or about to be. Undefined: as the bookmark says. */
  readonly read: LogPosition | undefined
  /** Entries read since the bookmark was written. */
  readonly unnoted: number
  /** Grows with everything that a survey which is under way may have missed. */
  readonly marks: number
}

/** By `chainId`. */
export type HiveChains = Readonly<Record<string, HiveChain>>

/** A bookmark costs three requests to the NameNode, a missing one as many to read an entry again. */
const NOTE_ENTRIES = 50

/** The chain has been opened: what its log holds is to be looked at. */
export function opened(chains: HiveChains, { topic, partition, topicId }: ChainName): HiveChains {
  const id = chainId({ topic, partition, topicId })
  const { read, unnoted = 0, marks = 0 } = chains[id] ?? {}
  const chain = { topic, partition, topicId, life: 'behind', read, unnoted, marks: marks + 1 } as const
  return { ...chains, [id]: chain }
}

/** Whether an entry goes on where the chain was read to, so that the log need not be asked. */
export function follows(chains: HiveChains, of: ChainName, entry: Pick<Entry, 'chain' | 'from'>): boolean {
  const { life, read } = chains[chainId(of)] ?? {}
  return life === 'following' && read?.next === entry.from && read.generation === generationOf(entry.chain)
}

export function advanced(chains: HiveChains, of: ChainName, { to }: Pick<Entry, 'to'>): HiveChains {
  const id = chainId(of)
  const chain = chains[id]
  if (chain?.read === undefined) return chains
  const read = { ...chain.read, next: to }
  return { ...chains, [id]: { ...chain, read, unnoted: chain.unnoted + 1 } }
}

/** A chain whose log is to be read; `undefined` when there is none. */
export function firstBehind(chains: HiveChains): HiveChain | undefined {
  return Object.values(chains).find(({ life }) => life === 'behind')
}

/** Takes what a survey has read that began when the chain was as `asked`. */
export function surveyed(chains: HiveChains, asked: HiveChain, { position, isEnd }: LogPiece): HiveChains {
  const id = chainId(asked)
  const chain = chains[id]
  if (chain === undefined) return chains
  const isCurrent = isEnd && chain.marks === asked.marks
  const isFurther = position?.next !== asked.read?.next || position?.generation !== asked.read?.generation
  const unnoted = isFurther ? NOTE_ENTRIES : chain.unnoted
  return { ...chains, [id]: { ...chain, read: position, unnoted, life: isCurrent ? 'following' : 'behind' } }
}

/** Chains whose bookmarks are to be written: often enough, and at the end. */
export function due(chains: HiveChains, isLast: boolean): HiveChain[] {
  const enough = isLast ? 1 : NOTE_ENTRIES
  return Object.values(chains).filter(({ read, unnoted }) => read !== undefined && unnoted >= enough)
}

export function noted(chains: HiveChains, written: readonly HiveChain[]): HiveChains {
  const after = { ...chains }
  for (const { read, unnoted, ...of } of written) {
    const chain = chains[chainId(of)]
    if (chain) after[chainId(of)] = { ...chain, unnoted: Math.max(0, chain.unnoted - unnoted) }
  }
  return after
}

/** The table is another one: every chain is read anew, as its bookmark for this table says. */
export function forgotten(chains: HiveChains): HiveChains {
  return Object.values(chains).reduce<HiveChains>(opened, {})
}

/** Of the chain that an entry names: `<sink>/<topic>/<topicId>-g<generation>/<partition>`. */
function generationOf(chain: string): number {
  return Number(/-g(\d+)\/\d+$/.exec(chain)?.[1] ?? Number.NaN)
}
