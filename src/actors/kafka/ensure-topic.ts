import { setTimeout as pause } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'

const LOOK_AGAIN_MS = 50

/**
 * Creates a topic unless it exists, and then resolves when each of its partitions has a leader. One that existed may have
 * partitions without: they hold up nobody but those who need them.
 */
export async function ensureTopic(
  cluster: Cluster,
  name: string,
  topic: Parameters<Cluster['createTopic']>[1],
  signal: AbortSignal
): Promise<void> {
  const look = async () => {
    const found = (await cluster.metadata(signal, [name])).topics.get(name)
    return found?.error === 0 ? found.partitions : []
  }
  if ((await look()).length > 0) return
  await cluster.createTopic(name, topic, signal)
  for (;;) {
    const partitions = await look()
    if (partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)) return
    await pause(LOOK_AGAIN_MS, undefined, { signal })
  }
}
