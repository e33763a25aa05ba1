import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { cached } from '../tools/cache.ts'
import { toolMissing } from '../tools/require.ts'
import { runOk } from '../tools/run.ts'

/** Whether services written in Go can be built here. */
export const hasGo = spawnSync('go', ['version'], { stdio: 'ignore' }).status === 0 || toolMissing('go')

/** A program that `go install` builds. */
export interface GoTool {
  /** The name of the binary: the last element of the package's path. */
  readonly name: string
  readonly package: string
  /** Exact: the checksum database of Go proves that a version's content is the one that everybody has. */
  readonly version: string
}

/** The path of the program, built when it is not in the cache; MinIO takes five minutes. */
export async function goBinary({ name, package: path, version }: GoTool): Promise<string> {
  const directory = await cached(name, `${path}@${version}`, async (building) => {
    await runOk('go', ['install', '-trimpath', '-ldflags=-s -w', `${path}@${version}`], {
      env: { ...process.env, GOBIN: building, CGO_ENABLED: '0', GOFLAGS: '-mod=mod -buildvcs=false' },
      timeoutMs: 30 * 60_000
    })
  })
  return join(directory, name)
}
