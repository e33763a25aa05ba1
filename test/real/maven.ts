import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cached } from '../tools/cache.ts'
import { toolMissing } from '../tools/require.ts'
import { runOk } from '../tools/run.ts'

/** Whether services that run on Java can be had here: a JDK to run them and Maven to fetch them. */
export const hasMaven = works('javac', '-version') && works('mvn', '--version')

/** The folder with the jars of a pom, fetched when it is not in the cache. The pom pins every version. */
export function jarsOf(name: string, pom: string): Promise<string> {
  return cached(name, readFileSync(pom, 'utf8'), async (directory) => {
    await runOk('mvn', [
      '--batch-mode',
      '--quiet',
      '--strict-checksums',
      '--file',
      pom,
      'dependency:copy-dependencies',
      `-DoutputDirectory=${directory}`
    ])
  })
}

/** Options of a Java process that lives for seconds: a small heap, and no second compiler, which it would not repay. */
export const quickJava: readonly string[] = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']

function works(command: string, argument: string): boolean {
  return spawnSync(command, [argument], { stdio: 'ignore' }).status === 0 || toolMissing(command)
}
