import { execFileSync } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startBroker } from '../../src/embedded/broker/broker.ts'
import { cleanups } from '../tools/cleanup.ts'
import { causewayPath, emptyDirectory, start } from './executable.ts'

const defer = cleanups()
const IDLE_MIB_MAX = 90
/** The worker gives back what its start left after 3 s. */
const SETTLED_MS = 6_000

test('an idle worker keeps less than 90 MiB resident', async () => {
  const cwd = await emptyDirectory()
  defer(() => rm(cwd, { recursive: true, force: true }))
  const [source, target] = await Promise.all(
    ['source', 'target'].map((name) => startBroker({ dataDir: join(cwd, name) }))
  )
  defer(() => Promise.all([source?.stop(), target?.stop()]))
  await writeFile(
    join(cwd, 'causeway.toml'),
    `name = "n"
data_dir = "data"
http = { listen = "127.0.0.1:0" }
cluster.a.brokers = ["${source?.brokers[0]}"]
cluster.b.brokers = ["${target?.brokers[0]}"]
mirror.m = { from = "a", to = "b" }
`
  )
  forgetCachedPages(causewayPath())
  const worker = start(['--role', 'mirror', '--config', 'causeway.toml'], cwd)
  defer(() => worker.child.kill('SIGKILL'))
  await expect.poll(() => worker.written.err, { timeout: 20_000 }).toContain('worker is running')
  await delay(SETTLED_MS)
  const status = await readFile(`/proc/${worker.child.pid}/status`, 'utf8')
  const mib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024
  console.log(`idle: ${mib('VmRSS').toFixed(1)} MiB resident, ${mib('RssAnon').toFixed(1)} of them its own`)
  expect(mib('VmRSS')).toBeLessThan(IDLE_MIB_MAX)
})

/**
 * A file that was just written lies in the page cache in large folios, of which the kernel maps more than is used (up to
 * 20 MiB here). Read from disk anew, as after any restart of the machine, it is mapped as it is used.
 */
function forgetCachedPages(file: string): void {
  execFileSync('sync', [file])
  execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none'])
}
