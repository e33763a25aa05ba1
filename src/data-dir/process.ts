import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/**
 * What tells the process that now has this pid from every other one that ever had it, as one word; `undefined` when no
 * such process runs. On Linux its start time in this boot (`proc_pid_stat(5)`, field 22), elsewhere what `ps` says.
 */
export function identityOf(pid: number): string | undefined {
  return existsSync('/proc/self/stat') ? identityOnLinux(pid) : identityByPs(pid)
}

function identityOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command's name, field 2, stands in parentheses and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, startTicks] = [fields[0], fields[19]]
    if (state === 'Z' || state === 'X') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}/${startTicks}`
  } catch {
    return undefined
  }
}

function identityByPs(pid: number): string | undefined {
  const { status, stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
  return status === 0 && stdout.trim() !== '' ? stdout.trim().replaceAll(/\s+/g, '-') : undefined
}
