import assignerProtocol from 'kafkajs/src/consumer/assignerProtocol.js'
import { Fault } from '../../errors.ts'
import { Reader, Writer } from './wire.ts'

/**
 * What members and their leader tell each other. The envelope is ConsumerProtocol v0, because the coordinator and
 * Kafka's tools parse it; our shards stand in its user data: INT8 version 1, then an array of INT32.
 */
const ENVELOPE_VERSION = 0
const VERSION = 1

const { MemberMetadata, MemberAssignment } = assignerProtocol

/** A member's metadata: the shards it holds. */
export function encodeOwned(owned: readonly number[]): Buffer {
  return MemberMetadata.encode({ version: ENVELOPE_VERSION, topics: [], userData: encodeShards(owned) })
}

export function decodeOwned(metadata: Buffer | null): number[] {
  if (metadata === null || metadata.length === 0) return []
  return decodeShards(MemberMetadata.decode(metadata).userData)
}

/** A member's assignment: the shards it gets. */
export function encodeAssignment(shards: readonly number[]): Buffer {
  return MemberAssignment.encode({
    version: ENVELOPE_VERSION,
    assignment: {},
    userData: encodeShards(shards)
  })
}

/** Empty bytes, which a leader that did not know us leaves behind, mean no shards. */
export function decodeAssignment(assignment: Buffer | null): number[] {
  if (assignment === null || assignment.length === 0) return []
  return decodeShards(MemberAssignment.decode(assignment)?.userData ?? null)
}

function encodeShards(shards: readonly number[]): Buffer {
  const writer = new Writer(5 + 4 * shards.length).int8(VERSION).int32(shards.length)
  for (const shard of shards) writer.int32(shard)
  return writer.take()
}

function decodeShards(userData: Buffer | null): number[] {
  if (userData === null || userData.length === 0) return []
  const reader = new Reader(userData)
  const version = reader.int8()
  if (version !== VERSION) throw new Fault('group-protocol-foreign', `shards in version ${version}`)
  return reader.array(() => reader.int32())
}
