import type { RawRequest } from './raw-client.ts'
import { type At, errorOfPartition, onlyPartition, writePartition } from './requests.ts'

/** Requests of the group protocol, in the versions that static membership needs. */

export interface Identity {
  readonly memberId: string
  readonly instanceId?: string | undefined
}

export interface Joined {
  readonly error: number
  readonly generation: number
  readonly protocol: string
  readonly leader: string
  readonly memberId: string
  readonly members: readonly {
    readonly id: string
    readonly instanceId: string | null
    readonly metadata: Buffer
  }[]
}

export interface JoinOptions extends Identity {
  readonly metadata?: string
  readonly protocol?: string
  readonly sessionTimeoutMs?: number
  readonly rebalanceTimeoutMs?: number
  readonly version?: 3 | 5
}

export function join(group: string, options: JoinOptions): RawRequest<Joined> {
  const { memberId, instanceId = null, metadata = 'm', protocol = 'range', version = 5 } = options
  return {
    key: 11,
    version,
    encode: (writer) => {
      writer
        .string(group)
        .int32(options.sessionTimeoutMs ?? 6_000)
        .int32(options.rebalanceTimeoutMs ?? 6_000)
      writer.string(memberId)
      if (version >= 5) writer.string(instanceId)
      writer.string('consumer').structs([protocol], (_, name) => {
        writer.string(name).bytes(Buffer.from(metadata))
      })
    },
    decode: (reader) => {
      reader.int32()
      return {
        error: reader.int16(),
        generation: reader.int32(),
        protocol: reader.string(),
        leader: reader.string(),
        memberId: reader.string(),
        members: reader.structs(() => ({
          id: reader.string(),
          instanceId: version >= 5 ? reader.nullableString() : null,
          metadata: reader.bytes()
        }))
      }
    }
  }
}

export function sync(
  group: string,
  generation: number,
  { memberId, instanceId = undefined }: Identity,
  assignments: Readonly<{ [memberId: string]: string }> = {}
): RawRequest<{ error: number; assignment: string }> {
  return {
    key: 14,
    version: 3,
    encode: (writer) => {
      writer
        .string(group)
        .int32(generation)
        .string(memberId)
        .string(instanceId ?? null)
      writer.structs(Object.entries(assignments), (_, [id, assignment]) => {
        writer.string(id).bytes(Buffer.from(assignment))
      })
    },
    decode: (reader) => {
      reader.int32()
      return { error: reader.int16(), assignment: reader.bytes().toString() }
    }
  }
}

export function heartbeat(group: string, generation: number, identity: Identity): RawRequest<number> {
  return {
    key: 12,
    version: 3,
    encode: (writer) => {
      writer
        .string(group)
        .int32(generation)
        .string(identity.memberId)
        .string(identity.instanceId ?? null)
    },
    decode: (reader) => {
      reader.int32()
      return reader.int16()
    }
  }
}

export function leave(group: string, identity: Identity): RawRequest<number> {
  return {
    key: 13,
    version: 3,
    encode: (writer) => {
      writer.string(group).structs([identity], (_, one) => {
        writer.string(one.memberId).string(one.instanceId ?? null)
      })
    },
    decode: (reader) => {
      reader.int32()
      const error = reader.int16()
      const [member] = reader.structs(
        () => [reader.string(), reader.nullableString(), reader.int16()] as const
      )
      return error === 0 ? (member?.[2] ?? 0) : error
    }
  }
}

export function commitOffset(
  group: string,
  generation: number,
  { memberId, instanceId }: Identity,
  at: At,
  offset: number
): RawRequest<number> {
  return {
    key: 8,
    version: 7,
    encode: (writer) => {
      writer
        .string(group)
        .int32(generation)
        .string(memberId)
        .string(instanceId ?? null)
      writePartition(writer, at, () => writer.int64(offset).int32(-1).string('note'))
    },
    decode: (reader) => {
      reader.int32()
      return errorOfPartition(reader)
    }
  }
}

export function fetchOffset(
  group: string,
  at: At
): RawRequest<{ offset: number; metadata: string; error: number }> {
  return {
    key: 9,
    version: 4,
    encode: (writer) => {
      writer.string(group).structs([at], (_, { topic, partition }) => {
        writer.string(topic).array([partition], (_, one) => writer.int32(one))
      })
    },
    decode: (reader) => {
      reader.int32()
      return onlyPartition(
        reader.structs(() => {
          reader.string()
          return reader.structs(() => {
            reader.int32()
            return { offset: reader.int64(), metadata: reader.string(), error: reader.int16() }
          })
        })
      )
    }
  }
}
