/**
 * What a mirror calls its topics on the target.
 *
 * `identity`: as on the source. `prefix`: the prefix, then the source's name. `map`: the topics that the map names are
 * called as it says, all others as on the source. `heartbeats` is what the heartbeats are called there, where they are
 * copied: both clusters may have some of their own.
 */
export type Naming =
  | { readonly type: 'identity'; readonly heartbeats?: string | undefined }
  | { readonly type: 'prefix'; readonly prefix: string }
  | {
      readonly type: 'map'
      readonly names: Readonly<Record<string, string>>
      readonly heartbeats?: string | undefined
    }

/** The topic of MirrorMaker 2's heartbeats. */
export const heartbeatsTopic = 'heartbeats'

/** The longest name that Kafka gives a topic. */
const NAME_MAX = 249

export function targetNamer(naming: Naming): (topic: string) => string {
  switch (naming.type) {
    case 'identity':
      return (topic) => (topic === heartbeatsTopic ? (naming.heartbeats ?? topic) : topic)
    case 'prefix':
      return (topic) => naming.prefix + topic
    case 'map': {
      const { heartbeats = heartbeatsTopic } = naming
      const names = new Map([[heartbeatsTopic, heartbeats], ...Object.entries(naming.names)])
      return (topic) => names.get(topic) ?? topic
    }
  }
}

/** The naming, with heartbeats called as MirrorMaker 2's clients look for them, but where a prefix does that. */
export function withHeartbeats(naming: Naming, from: string): Naming {
  return naming.type === 'prefix' ? naming : { ...naming, heartbeats: `${from}.${heartbeatsTopic}` }
}

/** Whether Kafka takes it for a topic's name. */
export function isTopicName(name: string): boolean {
  return name.length <= NAME_MAX && /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/.test(name)
}

/** Topics that no mirror copies, neither ours nor MirrorMaker 2: our own, Kafka's own, and hidden ones. */
export function isInternalName(topic: string): boolean {
  return topic.endsWith('.internal') || topic.startsWith('__') || topic.startsWith('.')
}

/**
 * Whether a topic's name says that it came from a cluster, over whatever others: one of that cluster's prefixes stands at
 * its beginning or behind one of its dots. MirrorMaker 2 reads names in the same way.
 */
export function cameFrom(topic: string, prefixes: readonly string[]): boolean {
  for (let at = 0; at >= 0; at = topic.indexOf('.', at) + 1 || -1) {
    if (prefixes.some((prefix) => topic.startsWith(prefix, at) && topic.length > at + prefix.length))
      return true
  }
  return false
}
