import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Endpoints } from '../../src/demo/endpoints.ts'
import type { DemoReport } from '../../src/demo/report.ts'
import { CausewayProcess, fromSources } from '../support/causeway-process.ts'

export interface NodeOptions {
  /** Node's own arguments, for example a preload that breaks something. */
  readonly nodeArgs?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A demo that runs in a process of its own. */
export class DemoProcess extends CausewayProcess {
  readonly dataDir: string

  constructor(dataDir: string, args: readonly string[], { nodeArgs = [], env = {} }: NodeOptions = {}) {
    const [node = '', ...main] = fromSources
    super(['demo', '--data-dir', dataDir, '--port', '0', ...args], {
      program: [node, ...nodeArgs, ...main],
      env
    })
    this.dataDir = dataDir
  }

  /** The final report, printed with `--json` once everything has arrived. */
  report(timeoutMs = 120_000): Promise<DemoReport> {
    return this.until('its report', () => this.lastReport(), timeoutMs)
  }

  lastReport(): DemoReport | undefined {
    const line = this.stdout
      .split('\n')
      .filter((text) => text.startsWith('{"ingested"') && text.endsWith('}'))
      .at(-1)
    return line === undefined ? undefined : (JSON.parse(line) as DemoReport)
  }

  endpoints(): Endpoints {
    return JSON.parse(readFileSync(join(this.dataDir, 'endpoints.json'), 'utf8')) as Endpoints
  }
}

/** A temporary data directory whose PostgreSQL is ended, and whose files are removed, whatever happened to the demo. */
export function temporaryDataDir(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'causeway-e2e-'))
  return {
    path,
    remove: () => {
      endOrphan(path)
      rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    }
  }
}

/** A demo that was killed leaves its PostgreSQL behind for a moment; the files go only when it has ended. */
function endOrphan(dataDir: string): void {
  const file = join(dataDir, 'warehouse/cluster/postmaster.pid')
  if (!existsSync(file)) return
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0])
  const cmdline = `/proc/${pid}/cmdline`
  if (existsSync(cmdline) && readFileSync(cmdline, 'utf8').includes(dataDir)) process.kill(pid, 'SIGQUIT')
}
