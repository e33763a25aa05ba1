// biome-ignore-all lint/style/noNonNullAssertion: indexes are bounded by the loops
/**
 * The hash that Kafka's default partitioner takes of a key: 32-bit MurmurHash 2 with Kafka's seed
 * (org.apache.kafka.common.utils.Utils.murmur2), signed as in Java.
 */

const SEED = 0x9747b28c
const M = 0x5bd1e995

export function murmur2(key: Uint8Array): number {
  const whole = key.length & ~3
  let hash = SEED ^ key.length
  for (let at = 0; at < whole; at += 4) {
    let word = key[at]! | (key[at + 1]! << 8) | (key[at + 2]! << 16) | (key[at + 3]! << 24)
    word = Math.imul(word, M)
    word ^= word >>> 24
    hash = Math.imul(hash, M) ^ Math.imul(word, M)
  }
  const rest = key.length - whole
  if (rest > 0) {
    if (rest > 2) hash ^= key[whole + 2]! << 16
    if (rest > 1) hash ^= key[whole + 1]! << 8
    hash = Math.imul(hash ^ key[whole]!, M)
  }
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}

/** The partition that Kafka's Java producer gives a key: the hash without its sign bit, modulo the partitions. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}
