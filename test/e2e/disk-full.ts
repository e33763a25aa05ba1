/**
 * Preloaded with `node --import`: while the file `CAUSEWAY_DISK_FULL` exists, every write of this process below that
 * file's directory fails as on a full disk.
 */
import fs from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { dirname } from 'node:path'

const flag = process.env.CAUSEWAY_DISK_FULL ?? ''
if (flag === '') throw new Error('CAUSEWAY_DISK_FULL must name a file')
const directory = `${dirname(flag)}/`

function check(fd: number): void {
  if (!fs.existsSync(flag) || !fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory)) return
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
    syscall: 'write'
  })
}

const { writeSync } = fs
fs.writeSync = ((...args: Parameters<typeof writeSync>) => {
  check(args[0])
  return writeSync(...args)
}) as typeof writeSync
syncBuiltinESMExports()

const handle = await open('/dev/null')
const prototype = Object.getPrototypeOf(handle) as FileHandle
await handle.close()
for (const name of ['write', 'writev', 'writeFile', 'appendFile'] as const) {
  const original = prototype[name] as (this: FileHandle, ...args: unknown[]) => Promise<unknown>
  Object.defineProperty(prototype, name, {
    value: async function (this: FileHandle, ...args: unknown[]) {
      check(this.fd)
      return original.apply(this, args)
    }
  })
}
