export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** The key of a topic-partition in maps and logs: `hybrid-3`. Topic names may hold dashes; the last one separates. */
export function tp(topic: string, partition: number): string {
  return `${topic}-${partition}`
}
