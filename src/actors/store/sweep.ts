import { readEnd } from './chain.ts'
import { discoverChains } from './discover.ts'
import type { Genesis } from './entry.ts'
import {
  type ChainId,
  chainName,
  encodeName,
  parseDataName,
  sinkDataPrefix,
  sinkDeadPrefix,
  sinkLogPrefix
} from './names.ts'
import { inParallel } from './parallel.ts'
import type { Leftover, Store } from './store.ts'

/**
 * Removes what crashed writers have prepared and nobody will publish. A leftover goes when it is a day old and lies below
 * the published end of its chain: its offsets are covered, so no writer that lives can want it. Bytes of an unpublished
 * entry stay, whatever their age, and so does everything at or beyond the end.
 */
export interface SweepOptions {
  /** `<config name>.<instance>`: only its own leftovers are looked at. */
  readonly sink: string
  readonly now: () => number
}

const AGE_MS = 86_400_000
const PARALLEL = 4

/** Where a chain stands, as its log tells. */
interface End {
  readonly id: ChainId
  readonly genesis: Genesis
  /** Everything before it is published. */
  readonly publishedEnd: number
  /** Nonces of an entry that is not, and of its repairs. */
  readonly unpublished: readonly string[]
  readonly isClosed: boolean
}

/** @returns how many were removed */
export async function sweepLeftovers(
  store: Store,
  { sink, now }: SweepOptions,
  signal: AbortSignal
): Promise<number> {
  const old: Leftover[] = []
  const prefixes = {
    data: sinkDataPrefix(sink),
    dead: sinkDeadPrefix(sink),
    log: sinkLogPrefix(sink),
    chain: `${encodeName(sink)}/`
  }
  for await (const leftover of store.leftovers(prefixes, signal)) {
    if (leftover.preparedMs + AGE_MS <= now()) old.push(leftover)
  }
  if (old.length === 0) return 0
  // Read after the leftovers: an end that has moved on since only lets more go.
  const ends = await endsOf(store, sink, signal)
  const garbage = old.filter((leftover) => isGarbage(leftover, ends))
  await inParallel(garbage, PARALLEL, ({ preparation }) => store.discard(preparation, signal))
  return garbage.length
}

async function endsOf(store: Store, sink: string, signal: AbortSignal): Promise<End[]> {
  const chains = await discoverChains(store, sink, signal)
  const ends = await inParallel(chains, PARALLEL, async ({ id }) => {
    const opened = await readEnd(store, id, signal)
    if (opened === undefined) return []
    const { genesis, end, last, published, closing } = opened
    const isOpen = last !== undefined && !published
    const nonces = isOpen ? [last.nonce, ...last.files.flatMap(({ writer }) => writer ?? [])] : []
    const publishedEnd = isOpen ? last.from : end
    return [{ id, genesis, publishedEnd, unpublished: nonces, isClosed: closing !== undefined }]
  })
  return ends.flat()
}

function isGarbage(leftover: Leftover, ends: readonly End[]): boolean {
  if (!leftover.isNameable) return true
  const of = ownerOf(leftover)
  if (of === undefined) return false
  const own = ends.filter(({ id }) => of.isOf(id))
  if (own.length === 0 || own.some(({ unpublished }) => unpublished.includes(of.nonce))) return false
  // A name does not tell the generation; only the chain that goes on can still want what lies at its end.
  const current = own
    .filter(({ isClosed }) => !isClosed)
    .sort((a, b) => a.genesis.createdAt.localeCompare(b.genesis.createdAt))
    .at(-1)
  return current === undefined || of.from < current.publishedEnd
}

interface Owner {
  readonly isOf: (chain: ChainId) => boolean
  readonly from: number
  readonly nonce: string
}

/** Whose a leftover is: its metadata tells, or its name. */
function ownerOf({ entryId, path }: Leftover): Owner | undefined {
  const told = /^(.+)\/(\d+)-([0-9a-z]+)$/.exec(entryId ?? '')
  if (told) {
    const [, chain = '', from = '', nonce = ''] = told
    return { isOf: (id) => chainName(id) === chain, from: Number(from), nonce }
  }
  const name = parseDataName(path)
  if (name === undefined) return undefined
  const { topic, partition, from, nonce } = name
  const isOf = (id: ChainId) =>
    id.partition === partition && encodeName(id.topic).slice(0, topic.length) === topic
  return { isOf, from, nonce }
}
