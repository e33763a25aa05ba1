import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { runOk } from '../tools/run.ts'
import { readDockerfile } from './dockerfile.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder `dist/` under test. */
    readonly dist: string
  }
}

const root = join(import.meta.dirname, '..', '..')
const BUILD_TIMEOUT_MS = 15 * 60_000

/**
 * Builds what the tests test as the Dockerfile's first stage does, in a copy of what `.dockerignore` lets through and
 * from the lock file alone. `PACKAGE_DIST` names a `dist/` made before, to work on the tests themselves.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const ready = process.env.PACKAGE_DIST
  if (ready !== undefined && ready !== '') {
    project.provide('dist', ready)
    return undefined
  }
  const work = await mkdtemp(join(tmpdir(), 'causeway-build-stage-'))
  await chmod(work, 0o755) // the executable is also run as a user without rights
  const remove = () => rm(work, { recursive: true, force: true })
  try {
    await runBuildStage(work)
  } catch (error) {
    await remove()
    throw error
  }
  project.provide('dist', join(work, 'dist'))
  return remove
}

async function runBuildStage(work: string): Promise<void> {
  const [build] = await readDockerfile()
  const allowed = await letThrough()
  for (const { keyword, value } of build?.instructions ?? []) {
    // The system's own packages are this machine's affair; their programs are missed below if they are not there.
    if (keyword === 'RUN' && !value.startsWith('apt-get ')) {
      await runOk('/bin/sh', ['-c', value], {
        cwd: work,
        env: cleanEnvironment(),
        timeoutMs: BUILD_TIMEOUT_MS
      })
    }
    if (keyword === 'COPY') {
      const sources = value.split(/\s+/).slice(0, -1)
      const names = sources.includes('.') ? allowed : sources
      for (const name of names) await copy(name, work, allowed)
    }
  }
}

async function copy(name: string, work: string, allowed: readonly string[]): Promise<void> {
  if (!allowed.includes(name)) throw new Error(`.dockerignore keeps ${name} out, which the Dockerfile copies`)
  if (!existsSync(join(root, name))) throw new Error(`.dockerignore lets ${name} through, which is not there`)
  await mkdir(work, { recursive: true })
  await cp(join(root, name), join(work, basename(name)), { recursive: true, preserveTimestamps: true })
}

async function letThrough(): Promise<string[]> {
  const lines = (await readFile(join(root, '.dockerignore'), 'utf8')).split('\n')
  return lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
}

/** Ours without what an npm that started these tests tells its children about its own project. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const isOurs = (name: string) =>
    /^(npm_(package|lifecycle|command|execpath|config_local_prefix)|INIT_CWD)/.test(name)
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOurs(name)))
}
