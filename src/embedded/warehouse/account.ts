import { readFile } from 'node:fs/promises'
import { Fault } from '../../errors.ts'

/** A user of this machine that a child process runs as. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Users that exist on most systems and own nothing of value, best first. */
const CANDIDATES = ['postgres', 'nobody']

/**
 * The account for PostgreSQL, which refuses to run as root: `undefined` (our own) unless this process is root.
 *
 * The owner of an existing cluster stays its owner, whatever users were added since. No user is ever created.
 */
export async function accountFor(ownerUid: number | undefined): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const accounts = parsePasswd(await readFile('/etc/passwd', 'utf8'))
  const owner = accounts.find((account) => account.uid === ownerUid && account.uid !== 0)
  if (owner !== undefined) return owner
  for (const name of CANDIDATES) {
    const account = accounts.find((candidate) => candidate.name === name && candidate.uid !== 0)
    if (account !== undefined) return account
  }
  throw new Fault(
    'warehouse-no-account',
    `PostgreSQL refuses to run as root, and this system has no user ${CANDIDATES.join(' or ')}: start as another user`
  )
}

/** Lines of passwd(5): `name:password:uid:gid:comment:home:shell`. */
export function parsePasswd(text: string): Account[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':')
    if (name === undefined || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) return []
    return [{ name, uid: Number(uid), gid: Number(gid) }]
  })
}
