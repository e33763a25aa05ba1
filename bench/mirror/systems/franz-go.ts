import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasGo } from '../../../test/real/go-tool.ts'
import { cached } from '../../../test/tools/cache.ts'
import { runOk } from '../../../test/tools/run.ts'
import type { System } from '../system.ts'

const folder = join(import.meta.dirname, '../franz-go')
const FILES = ['go.mod', 'go.sum', 'main.go']

export const franzGo: System = {
  name: 'franz-go',
  title: 'franz-go consume → produce',
  exactlyOnce: false,
  isHere: hasGo,
  prepare: async () => void (await binary()),
  command: async ({ source, target, topic, codec, run }) => {
    return { command: await binary(), args: [source, target, topic, codec, `bench-${run}`] }
  },
  described: () => `franz-go ${version()}, \`franz-go/main.go\``
}

function version(): string {
  return /franz-go (v\S+)/.exec(readFileSync(join(folder, 'go.mod'), 'utf8'))?.[1] ?? 'of an unknown version'
}

/** Built of exactly the modules whose checksums stand in go.sum. */
async function binary(): Promise<string> {
  const sources = FILES.map((file) => readFileSync(join(folder, file), 'utf8'))
  const directory = await cached('bench-franz-go', sources.join('\n'), async (building) => {
    for (const file of FILES) cpSync(join(folder, file), join(building, file))
    const flags = ['-trimpath', '-ldflags=-s -w', '-mod=readonly', '-buildvcs=false']
    await runOk('go', ['build', ...flags, '-o', 'mirror', '.'], {
      cwd: building,
      env: { ...process.env, CGO_ENABLED: '0' },
      timeoutMs: 30 * 60_000
    })
  })
  return join(directory, 'mirror')
}
