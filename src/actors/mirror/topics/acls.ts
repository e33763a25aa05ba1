import { aclOperation, aclPermission, createTopicAcls, type TopicAcl, topicAcls } from '../../kafka/admin.ts'
import type { Cluster } from '../../kafka/cluster.ts'
import type { PlannedTopic } from './plan.ts'

/**
 * Gives the rights on source topics to the same principals on their copies, as MirrorMaker 2 does: only ACLs by literal
 * names, the right to write is dropped, and the right to everything becomes that to read. ACLs are only added.
 *
 * @returns what an operator should know
 */
export async function syncAcls(
  source: Cluster,
  target: Cluster,
  topics: readonly PlannedTopic[],
  signal: AbortSignal
): Promise<string[]> {
  const [ours, theirs] = await Promise.all([topicAcls(source, signal), topicAcls(target, signal)])
  const without = [ours === undefined ? source : undefined, theirs === undefined ? target : undefined]
  const notes = without.flatMap((cluster) =>
    cluster === undefined ? [] : [`sync_acls: cluster ${cluster.name} has no ACLs`]
  )
  if (ours === undefined || theirs === undefined) return notes
  const missing = missingAcls(ours, theirs, new Map(topics.map(({ name, target: copy }) => [name, copy])))
  if (missing.length === 0) return notes
  await createTopicAcls(target, missing, signal)
  target.log.info({ acls: missing }, 'ACLs of topics were added as on the source')
  return notes
}

/** @param copies the target's names by the source's */
export function missingAcls(
  ours: readonly TopicAcl[],
  theirs: readonly TopicAcl[],
  copies: ReadonlyMap<string, string>
): TopicAcl[] {
  const known = new Set(theirs.map(identity))
  const wanted = ours.flatMap((acl) => {
    const topic = copies.get(acl.topic)
    const copied = copiedAcl(acl)
    return topic === undefined || copied === undefined ? [] : [{ ...copied, topic }]
  })
  return [...new Map(wanted.map((acl) => [identity(acl), acl]))].flatMap(([key, acl]) =>
    known.has(key) ? [] : [acl]
  )
}

/** Whoever writes to the source has no business writing to its copy. What is denied stays denied. */
function copiedAcl(acl: TopicAcl): TopicAcl | undefined {
  if (acl.permission !== aclPermission.allow) return acl
  if (acl.operation === aclOperation.write) return undefined
  return acl.operation === aclOperation.all ? { ...acl, operation: aclOperation.read } : acl
}

function identity({ topic, principal, host, operation, permission }: TopicAcl): string {
  return JSON.stringify([topic, principal, host, operation, permission])
}
