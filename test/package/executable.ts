import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'

export const causewayPath = (): string => join(inject('dist'), 'causeway')

/** A user without rights, when the tests are root; else whoever runs them. */
export const unprivileged = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

export interface Started {
  readonly child: ChildProcess
  readonly written: { out: string; err: string }
  readonly ended: Promise<{ code: number | null; out: string; err: string }>
}

/** Starts the executable with an empty environment. */
export function start(
  args: readonly string[],
  cwd: string,
  options: { readonly uid?: number; readonly gid?: number; readonly env?: NodeJS.ProcessEnv } = {}
): Started {
  const { env = {}, ...user } = options
  const child = spawn(causewayPath(), [...args], { cwd, env, ...user, stdio: ['ignore', 'pipe', 'pipe'] })
  const written = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (written.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (written.err += chunk.toString()))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...written }))
  return { child, written, ended }
}

/** An empty directory that everybody may use. */
export async function emptyDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-package-test-'))
  await chmod(directory, 0o777)
  return directory
}

/** A config with every role once; nothing that it names is there, which every role bears. */
export async function writeConfig(directory: string, port: number): Promise<string> {
  const file = join(directory, 'causeway.toml')
  await writeFile(
    file,
    `name = "n"
data_dir = "data"
http = { listen = "127.0.0.1:${port}" }
cluster.a.brokers = ["127.0.0.1:1"]
cluster.b.brokers = ["127.0.0.1:2"]
store.hdfs = { type = "hdfs", namenodes = ["http://127.0.0.1:1"] }
store.s3 = { type = "s3", bucket = "bbb", endpoint = "http://127.0.0.1:1" }
warehouse.w.url = "\${file:url}"
ingest.i = { cluster = "a", topic = "t", source = { type = "file", path = "url" } }
mirror.m = { from = "a", to = "b", lanes = 2 }
hdfs_sink.h = { cluster = "a", topics = ["t"], store = "hdfs" }
s3_sink.s = { cluster = "b", topics = ["t"], store = "s3" }
redshift_loader.l = { from = "s3_sink.s", warehouse = "w" }
`
  )
  await writeFile(join(directory, 'url'), 'postgres://u:p@127.0.0.1:1/d')
  return file
}
