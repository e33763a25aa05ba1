import { type Api, defineApi, ofGroup, type Services } from '../api.ts'
import { attempt, codes } from '../errors.ts'
import {
  type JoinAnswer,
  type JoinRequest,
  type MemberIdentity,
  metadataOf,
  type SyncAnswer
} from '../group.ts'

/** JoinGroup (key 11). The answer comes when the join phase of the next generation ends. */
export function joinGroupApi({ groups }: Services): Api {
  return defineApi<Omit<JoinRequest, 'clientId' | 'clientHost'>, JoinAnswer>({
    key: 11,
    name: 'JoinGroup',
    versions: [0, 6],
    flexibleFrom: 6,
    decode: (reader, version) => {
      const group = reader.string()
      const sessionTimeoutMs = reader.int32()
      return {
        group,
        sessionTimeoutMs,
        rebalanceTimeoutMs: version >= 1 ? reader.int32() : sessionTimeoutMs,
        memberId: reader.string(),
        instanceId: version >= 5 ? reader.nullableString() : null,
        protocolType: reader.string(),
        protocols: reader.structs(() => ({ name: reader.string(), metadata: Buffer.from(reader.bytes()) })),
        idRequired: version >= 4
      }
    },
    subject: ({ group }) => group,
    duty: ({ group }) => ofGroup(group),
    handle: (request, { clientId, host }) => groups.join({ ...request, clientId, clientHost: host }),
    refuse: ({ memberId }, error) => ({
      error,
      generation: -1,
      protocol: '',
      leader: '',
      memberId,
      members: []
    }),
    encode: (writer, answer, version) => {
      if (version >= 2) writer.int32(0)
      writer.int16(answer.error).int32(answer.generation).string(answer.protocol)
      writer.string(answer.leader).string(answer.memberId)
      writer.structs(answer.members, (_, { id, instanceId, metadata }) => {
        writer.string(id)
        if (version >= 5) writer.string(instanceId)
        writer.bytes(metadata)
      })
    }
  })
}

interface GenerationRequest extends MemberIdentity {
  readonly group: string
  readonly generation: number
}

interface SyncRequest extends GenerationRequest {
  readonly assignments: ReadonlyMap<string, Buffer>
}

/** SyncGroup (key 14). The answer comes when the leader has sent its assignment. */
export function syncGroupApi({ groups }: Services): Api {
  return defineApi<SyncRequest, SyncAnswer>({
    key: 14,
    name: 'SyncGroup',
    versions: [0, 4],
    flexibleFrom: 4,
    decode: (reader, version) => ({
      group: reader.string(),
      generation: reader.int32(),
      memberId: reader.string(),
      instanceId: version >= 3 ? reader.nullableString() : null,
      assignments: new Map(
        reader.structs((): [string, Buffer] => [reader.string(), Buffer.from(reader.bytes())])
      )
    }),
    subject: ({ group }) => group,
    duty: ({ group }) => ofGroup(group),
    handle: (request) => groups.sync(request.group, request.generation, request, request.assignments),
    refuse: (_, error) => ({ error, assignment: Buffer.alloc(0) }),
    encode: (writer, { error, assignment }, version) => {
      if (version >= 1) writer.int32(0)
      writer.int16(error).bytes(assignment)
    }
  })
}

/** Heartbeat (key 12). */
export function heartbeatApi({ groups }: Services): Api {
  return defineApi<GenerationRequest, number>({
    key: 12,
    name: 'Heartbeat',
    versions: [0, 4],
    flexibleFrom: 4,
    decode: (reader, version) => ({
      group: reader.string(),
      generation: reader.int32(),
      memberId: reader.string(),
      instanceId: version >= 3 ? reader.nullableString() : null
    }),
    subject: ({ group }) => group,
    duty: ({ group }) => ofGroup(group),
    handle: (request) => attempt(() => groups.heartbeat(request.group, request.generation, request)),
    refuse: (_, code) => code,
    encode: (writer, error, version) => {
      if (version >= 1) writer.int32(0)
      writer.int16(error)
    }
  })
}

interface LeaveRequest {
  readonly group: string
  readonly members: readonly MemberIdentity[]
}

interface LeaveResponse {
  readonly error: number
  readonly members: readonly (MemberIdentity & { readonly error: number })[]
}

/** LeaveGroup (key 13); from version 3 on for several members at once, static ones by their instance id alone. */
export function leaveGroupApi({ groups }: Services): Api {
  return defineApi<LeaveRequest, LeaveResponse>({
    key: 13,
    name: 'LeaveGroup',
    versions: [0, 5],
    flexibleFrom: 4,
    decode: (reader, version) => {
      const group = reader.string()
      if (version < 3) return { group, members: [{ memberId: reader.string(), instanceId: null }] }
      const members = reader.structs(() => {
        const member = { memberId: reader.string(), instanceId: reader.nullableString() }
        if (version >= 5) reader.nullableString() // Reason.
        return member
      })
      return { group, members }
    },
    subject: ({ group }) => group,
    duty: ({ group }) => ofGroup(group),
    handle: ({ group, members }) => ({
      error: codes.NONE,
      members: members.map((member) => ({ ...member, error: attempt(() => groups.leave(group, member)) }))
    }),
    refuse: (_, error) => ({ error, members: [] }),
    encode: (writer, { error, members }, version) => {
      if (version >= 1) writer.int32(0)
      if (version < 3) {
        writer.int16(error === codes.NONE ? (members[0]?.error ?? error) : error)
        return
      }
      writer.int16(error).structs(members, (_, member) => {
        writer.string(member.memberId).string(member.instanceId).int16(member.error)
      })
    }
  })
}

interface GroupDescription {
  readonly error: number
  readonly id: string
}

/** DescribeGroups (key 15). */
export function describeGroupsApi({ cluster, node, groups, offsets }: Services): Api {
  return defineApi<readonly string[], readonly GroupDescription[]>({
    key: 15,
    name: 'DescribeGroups',
    versions: [0, 6],
    flexibleFrom: 5,
    decode: (reader, version) => {
      const ids = reader.array(() => reader.string())
      if (version >= 3) reader.boolean()
      return ids
    },
    subject: (ids) => ids.join(' '),
    handle: (ids, { version }) =>
      ids.map((id) => {
        if (!cluster.isCoordinator(node.id, { kind: 'group', key: id })) {
          return { error: codes.NOT_COORDINATOR, id }
        }
        const isMissing = version >= 6 && !groups.get(id) && !offsets.has(id)
        return { error: isMissing ? codes.GROUP_ID_NOT_FOUND : codes.NONE, id }
      }),
    refuse: (ids, error) => ids.map((id) => ({ error, id })),
    encode: (writer, answers, version) => {
      if (version >= 1) writer.int32(0)
      writer.structs(answers, (_, { error, id }) => {
        const group = error === codes.NONE ? groups.get(id) : undefined
        const state = group?.state ?? (offsets.has(id) ? 'Empty' : 'Dead')
        writer.int16(error)
        if (version >= 6) writer.string(error === codes.NONE ? null : `Group ${id} not found.`)
        writer.string(id).string(state)
        writer.string(group?.protocolType ?? '').string(group?.protocol ?? '')
        writer.structs([...(group?.members.values() ?? [])], (_, member) => {
          writer.string(member.id)
          if (version >= 4) writer.string(member.instanceId)
          writer.string(member.clientId).string(`/${member.clientHost}`)
          writer.bytes(metadataOf(member.protocols, group?.protocol ?? '')).bytes(member.assignment)
        })
        if (version >= 3) writer.int32(-2147483648)
      })
    }
  })
}

interface ListGroupsResponse {
  readonly error: number
  readonly ids: readonly string[]
}

/** ListGroups (key 16); from version 4 on filtered by state. */
export function listGroupsApi({ cluster, node, groups }: Services): Api {
  const stateOf = (id: string) => groups.get(id)?.state ?? 'Empty'
  return defineApi<readonly string[], ListGroupsResponse>({
    key: 16,
    name: 'ListGroups',
    versions: [0, 4],
    flexibleFrom: 3,
    decode: (reader, version) => (version >= 4 ? reader.array(() => reader.string()) : []),
    subject: () => '',
    handle: (states) => ({
      error: codes.NONE,
      ids: groups.ids().filter((id) => {
        const isWanted = states.length === 0 || states.includes(stateOf(id))
        return isWanted && cluster.isCoordinator(node.id, { kind: 'group', key: id })
      })
    }),
    refuse: (_, error) => ({ error, ids: [] }),
    encode: (writer, { error, ids }, version) => {
      if (version >= 1) writer.int32(0)
      writer.int16(error).structs(ids, (_, id) => {
        writer.string(id).string(groups.get(id)?.protocolType ?? '')
        if (version >= 4) writer.string(stateOf(id))
      })
    }
  })
}

/** DeleteGroups (key 42). */
export function deleteGroupsApi({ cluster, node, groups }: Services): Api {
  return defineApi<readonly string[], readonly GroupDescription[]>({
    key: 42,
    name: 'DeleteGroups',
    versions: [0, 2],
    flexibleFrom: 2,
    decode: (reader) => reader.array(() => reader.string()),
    subject: (ids) => ids.join(' '),
    handle: (ids) =>
      ids.map((id) => {
        const isHere = cluster.isCoordinator(node.id, { kind: 'group', key: id })
        return { id, error: isHere ? attempt(() => groups.delete(id)) : codes.NOT_COORDINATOR }
      }),
    refuse: (ids, error) => ids.map((id) => ({ id, error })),
    encode: (writer, answers) => {
      writer.int32(0).structs(answers, (_, { id, error }) => {
        writer.string(id).int16(error)
      })
    }
  })
}
