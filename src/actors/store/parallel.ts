/**
 * Runs `work` over the items in order, at most `limit` at once, and resolves with the results in the items' order.
 * After a failure nothing new is begun; it rejects with the first failure once everything begun has settled, so that
 * nothing goes on behind the caller's back.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>
): Promise<R[]> {
  const results: R[] = []
  const failures: unknown[] = []
  const queue = items.entries()
  const runner = async () => {
    for (const [index, item] of queue) {
      try {
        results[index] = await work(item)
      } catch (error) {
        failures.push(error)
      }
      if (failures.length > 0) return
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, runner))
  if (failures.length > 0) throw failures[0]
  return results
}
