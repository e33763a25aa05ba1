import { get } from 'node:http'
import type { Command } from 'commander'
import { exitCodes, Fault } from '../errors.ts'
import type { CommandContext } from './program.ts'

const DEFAULT_URL = 'http://127.0.0.1:9464/healthz'
const TIMEOUT_MS = 3_000

/** `causeway health`: exit code 0 when a running process answers. For containers, whose images have no other client. */
export function healthCommand(program: Command, context: CommandContext): void {
  program
    .command('health')
    .description('ask a running process whether it is alive (or, by its /readyz, ready)')
    .option('--url <url>', 'what to ask', DEFAULT_URL)
    .action(({ url }: { readonly url: string }) =>
      context.run(async () => {
        if (!URL.canParse(url) || new URL(url).protocol !== 'http:')
          throw new Fault('arguments-invalid', `--url ${JSON.stringify(url)} is no http:// URL`)
        const status = await statusOf(url)
        if (status !== 200) throw new Fault('unhealthy', `${url} answered ${status}`)
        context.out('ok')
        return exitCodes.done
      })
    )
}

function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(new Fault('unreachable', `${url} does not answer: ${cause.message}`, { cause }))
    get(url, { agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).on('error', fail)
  })
}
