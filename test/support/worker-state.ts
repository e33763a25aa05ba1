/** What `/api/state` says, as far as tests of whole processes read it. */
export interface WorkerState {
  readonly unready: readonly string[]
  readonly roles: readonly {
    readonly role: string
    readonly state: string
    readonly notes: readonly string[]
    readonly lastFault?: { readonly code: string; readonly message: string }
    readonly counters: Readonly<Record<string, number>>
    readonly partitions: readonly {
      readonly topic: string
      readonly partition: number
      readonly state: string
      readonly position: number
      readonly end: number
      readonly reason?: string
    }[]
  }[]
}

const ANSWER_MS_MAX = 5_000

/** The worker's state; `undefined` while it does not answer. */
export async function fetchState(url: string, token?: string): Promise<WorkerState | undefined> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  try {
    const response = await fetch(`${url}/api/state`, {
      headers,
      signal: AbortSignal.timeout(ANSWER_MS_MAX)
    })
    return (await response.json()) as WorkerState
  } catch {
    return undefined
  }
}

/** Whether this process has committed something new. */
export function hasIngested({ roles }: WorkerState): boolean {
  return roles.some(({ role, counters }) => role === 'ingest' && (counters.recordsWritten ?? 0) > 0)
}

/** Whether some partition's position is behind its end: then a kill cuts work in two. */
export function isLagging({ roles }: WorkerState): boolean {
  return roles.some(({ partitions }) =>
    partitions.some(({ position, end }) => position >= 0 && end > position)
  )
}
