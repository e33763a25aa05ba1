/** A small seeded generator (mulberry32), so that a printed seed replays a run. Numbers are uniform in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The seed of this run: `CAUSEWAY_SEED`, or one from the clock; always printed. */
export function chooseSeed(what: string): number {
  const seed = Number(process.env.CAUSEWAY_SEED ?? Date.now() % 1_000_000_000)
  console.log(`${what}: CAUSEWAY_SEED=${seed}`)
  return seed
}
