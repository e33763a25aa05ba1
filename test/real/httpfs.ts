import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../tools/service.ts'
import { writeProperties } from './hdfs/properties.ts'
import type { RealHdfs } from './hdfs.ts'
import { hasMaven, jarsOf, quickJava } from './maven.ts'
import { Restartable } from './restartable.ts'

/** Whether HttpFS can be had here. */
export const hasHttpFs = hasMaven

/** Fetches HttpFS 3.4.2: its 3.4.3 is in no registry. */
export function httpFsLibraries(): Promise<string> {
  return jarsOf('httpfs', join(import.meta.dirname, 'httpfs', 'pom.xml'))
}

/** HttpFS, which speaks WebHDFS for a file system and does everything by itself. */
export interface RealHttpFs {
  readonly process: Restartable
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  stop(): Promise<void>
}

export async function startHttpFs(hdfs: RealHdfs): Promise<RealHttpFs> {
  const libraries = await httpFsLibraries()
  const home = mkdtempSync(join(tmpdir(), 'causeway-httpfs-'))
  const port = await freePort()
  const conf = join(home, 'conf')
  for (const name of ['conf', 'log', 'temp']) mkdirSync(join(home, name))
  writeFileSync(join(conf, 'httpfs-signature.secret'), 'secret')
  writeProperties(join(conf, 'core-site.xml'), {
    'fs.defaultFS': hdfs.uri,
    'hadoop.security.group.mapping': 'org.apache.hadoop.security.NullGroupsMapping'
  })
  writeProperties(join(conf, 'httpfs-site.xml'), {
    'httpfs.http.hostname': '127.0.0.1',
    'httpfs.http.port': String(port),
    'httpfs.hadoop.config.dir': conf
  })
  const url = `http://127.0.0.1:${port}`
  const process = new Restartable({
    name: 'HttpFS',
    command: 'java',
    args: [
      ...[...quickJava, '-Xmx256m', '--add-opens', 'java.base/java.lang=ALL-UNNAMED'],
      ...[`-Dhttpfs.home.dir=${home}`, `-Dhttpfs.config.dir=${conf}`],
      ...[`-Dhttpfs.log.dir=${join(home, 'log')}`, `-Dhttpfs.temp.dir=${join(home, 'temp')}`],
      ...['-cp', `${conf}:${libraries}/*`, 'org.apache.hadoop.fs.http.server.HttpFSServerWebServer']
    ],
    cwd: home,
    env: { ...globalThis.process.env, HADOOP_USER_NAME: hdfs.superuser },
    ready: () => answers(`${url}/webhdfs/v1/?op=GETFILESTATUS&user.name=${hdfs.superuser}`)
  })
  const stop = async () => {
    await process.kill()
    rmSync(home, { recursive: true, force: true })
  }
  try {
    await process.start()
  } catch (error) {
    await stop()
    throw error
  }
  return { process, url, stop }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(5_000) })).ok
  } catch {
    return false
  }
}
