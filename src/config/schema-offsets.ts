import type * as z from 'zod'
import { duration, flag, list, pattern } from './fields.ts'
import type { OffsetsConfig } from './types.ts'

/** The keys of a mirror about offsets for consumers. */
export const offsetFields = () => ({
  groups: groupPatterns()
    .default(['.*'])
    .describe('Consumer groups of the source whose offsets are translated, or regular expressions.'),
  groups_exclude: groupPatterns()
    .default([...NOT_FOLLOWED])
    .describe('Groups, or regular expressions, to leave out; our own always are.'),
  emit_checkpoints: flag()
    .default(true)
    .describe('Writes MirrorMaker 2’s checkpoints to the target, for its RemoteClusterUtils.'),
  sync_group_offsets: flag()
    .default(false)
    .describe('Sets offsets of the target’s groups that have no members; never back.'),
  checkpoint_interval: duration('100ms', '24h')
    .prefault('60s')
    .describe('How often the groups’ offsets are translated.'),
  emit_offset_syncs: flag().default(true).describe('Writes MirrorMaker 2’s offset syncs to the source.'),
  emit_heartbeats: flag()
    .default(false)
    .describe('Writes heartbeats to the source and copies them, as MirrorMaker 2 does.'),
  heartbeat_interval: duration('100ms', '1h').prefault('1s').describe('How often.')
})

type Fields = z.output<z.ZodObject<ReturnType<typeof offsetFields>>>

export function offsetsOf(it: Fields): OffsetsConfig {
  return {
    groups: it.groups,
    groupsExclude: it.groups_exclude,
    emitCheckpoints: it.emit_checkpoints,
    syncGroupOffsets: it.sync_group_offsets,
    checkpointIntervalMs: it.checkpoint_interval,
    emitOffsetSyncs: it.emit_offset_syncs,
    emitHeartbeats: it.emit_heartbeats,
    heartbeatIntervalMs: it.heartbeat_interval
  }
}

/** MirrorMaker 2's default of `groups.exclude`. */
const NOT_FOLLOWED = ['console-consumer-.*', 'connect-.*', '__.*'] as const

function groupPatterns() {
  const allowed = 'the name of a group or a valid regular expression'
  return list(pattern(allowed), 0, 'an array of groups or regular expressions')
}
