import * as z from 'zod'
import type { MirrorScope } from '../../../config/circles.ts'
import { Fault } from '../../../errors.ts'
import type { Record } from '../../../records/record.ts'
import { SCOPE_KEY } from '../position-records.ts'

/**
 * The record `scope` in partition 0 of `<prefix>.positions.internal`: which topics the mirror that writes into this
 * cluster copies, from where and under which names. A mirror that reads from this cluster finds there what it would have
 * to know to see a circle; `upstream` are the mirrors that write into the writer's own source, as far as it knows.
 *
 *     {"mirror":"hybrid.mirror.cloud","from":{"key":"<cluster id>","name":"onprem"},"to":{…},
 *      "topics":[".*"],"exclude":[],"naming":{"type":"identity"},"origins":["aws."],"upstream":[…]}
 */
const cluster = z.object({ key: z.string(), name: z.string() })
const heartbeats = z.string().optional()
const scope = z.object({
  mirror: z.string(),
  from: cluster,
  to: cluster,
  topics: z.array(z.string()),
  exclude: z.array(z.string()),
  naming: z.discriminatedUnion('type', [
    z.object({ type: z.literal('identity'), heartbeats }),
    z.object({ type: z.literal('prefix'), prefix: z.string() }),
    z.object({ type: z.literal('map'), names: z.record(z.string(), z.string()), heartbeats })
  ]),
  origins: z.array(z.string())
})
const record = scope.extend({ upstream: z.array(scope) })

/** @param scopes the mirror's own, then those upstream of it */
export function encodeScopes(own: MirrorScope, upstream: readonly MirrorScope[], timestamp: number): Record {
  const value = { ...written(own), upstream: upstream.map(written) }
  return { key: Buffer.from(SCOPE_KEY), value: Buffer.from(JSON.stringify(value)), headers: [], timestamp }
}

/** Takes a mirror's scope away. */
export function scopeTombstone(timestamp: number): Record {
  return { key: Buffer.from(SCOPE_KEY), value: null, headers: [], timestamp }
}

/** The scope and those upstream of it. Throws `scope-unreadable` when the bytes are not what this version writes. */
export function decodeScopes(value: Buffer): MirrorScope[] {
  try {
    const { upstream, ...own } = record.parse(JSON.parse(value.toString()))
    return [own, ...upstream].map(({ mirror, ...rest }) => ({ name: mirror, ...rest }))
  } catch (error) {
    throw new Fault('scope-unreadable', 'its record "scope" is of another version', { cause: error })
  }
}

function written({ name, ...rest }: MirrorScope): z.infer<typeof scope> {
  const { from, to, topics, exclude, naming, origins } = rest
  return { mirror: name, from, to, topics: [...topics], exclude: [...exclude], naming, origins: [...origins] }
}
