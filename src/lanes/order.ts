import { Secret } from '../config/secret.ts'
import type { Config } from '../config.ts'
import type { Fault } from '../errors.ts'
import type { RoleView } from '../roles/role.ts'

/** What a mirror and the threads that are its lanes say to each other. */

/** What a lane is to do: everything it has to know, since it reads no file and no environment. */
export interface LaneOrder {
  /** The parts of the configuration that a mirror looks at, secrets in the clear: see `revealed`. */
  readonly config: unknown
  readonly instance: string
  /** From 0. */
  readonly lane: number
  readonly workerId: string
  /** Its part of the mirror's share of memory. */
  readonly budgetBytes: number
}

export type LaneCommand =
  | { readonly type: 'begin'; readonly order: LaneOrder }
  /** Ends in order: intake stops, what was taken is committed, the group is left. */
  | { readonly type: 'drain' }
  /** Ends at once. */
  | { readonly type: 'stop' }

export type LaneReport =
  | { readonly type: 'lane.seen'; readonly view: RoleView; readonly usedBytes: number }
  /** It has drained. */
  | { readonly type: 'lane.drained' }
  | { readonly type: 'lane.failed'; readonly fault: PlainFault }

/** A fault as it passes between threads. */
export type PlainFault = Pick<Fault, 'code' | 'message' | 'retryable'>

/** The parts of the configuration that a lane gets. */
export type LaneConfig = Pick<Config, 'name' | 'clusters' | 'mirror' | 'log'>

const SECRET = '$secret'

/** A copy without objects of classes, so that it may be sent: a `Secret` would lose its value on the way. */
export function revealed(value: unknown): unknown {
  if (value instanceof Secret) return { [SECRET]: value.reveal() }
  return mapped(value, revealed)
}

/** What `revealed` was made of. */
export function concealed(value: unknown): unknown {
  const text = typeof value === 'object' && value !== null && SECRET in value ? value[SECRET] : undefined
  return typeof text === 'string' ? new Secret(text) : mapped(value, concealed)
}

function mapped(value: unknown, map: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(map)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, map(inner)]))
}
