import { readdirSync, readFileSync } from 'node:fs'

/** What a process and all its descendants have used since they began. */
export interface TreeUsage {
  /** User and system time, in seconds. */
  readonly cpuSeconds: number
  /** Sum of each process's own peak of resident memory (`VmHWM`), in bytes; exact for a tree of one. */
  readonly peakBytes: number
}

/** Linux counts process times in these. */
const TICKS_PER_SECOND = 100
const NANOSECONDS = 1e9

/** Reads `/proc` of a tree again and again: what processes that have ended had used is not forgotten. */
export class ProcessTree {
  readonly root: number
  readonly #seen = new Map<number, TreeUsage>()

  constructor(root: number) {
    this.root = root
  }

  usage(): TreeUsage {
    for (const pid of this.#living()) {
      const usage = usageOf(pid)
      if (usage !== undefined) this.#seen.set(pid, usage)
    }
    const all = [...this.#seen.values()]
    return {
      cpuSeconds: all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
      peakBytes: all.reduce((sum, { peakBytes }) => sum + peakBytes, 0)
    }
  }

  #living(): number[] {
    const living = [this.root]
    for (const pid of living) living.push(...childrenOf(pid))
    return living
  }
}

/** proc_pid_task_children(5): the list is per thread. */
function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((thread) => {
    const text = read(`/proc/${pid}/task/${thread}/children`)
    return (text ?? '').split(' ').filter(Boolean).map(Number)
  })
}

/** `undefined` when the process is gone. */
function usageOf(pid: number): TreeUsage | undefined {
  const stat = read(`/proc/${pid}/stat`)
  const status = read(`/proc/${pid}/status`)
  if (stat === undefined || status === undefined) return undefined
  const peakKiB = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0)
  // Ticks count threads that have ended, too, but are cut; the scheduler's nanoseconds know living threads only.
  const cpuSeconds = Math.max(cpuOfStat(stat), cpuOfThreads(pid))
  return { cpuSeconds, peakBytes: peakKiB * 1_024 }
}

/** utime and stime, the 14th and 15th field of proc_pid_stat(5); the name before them may hold spaces. */
export function cpuOfStat(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

function cpuOfThreads(pid: number): number {
  let nanoseconds = 0
  for (const thread of threadsOf(pid)) {
    nanoseconds += Number(read(`/proc/${pid}/task/${thread}/schedstat`)?.split(' ')[0] ?? 0)
  }
  return nanoseconds / NANOSECONDS
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** `undefined` when what is described is gone. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
