import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type GoTool, goBinary, hasGo } from './go-tool.ts'
import { answers, type RealS3, type RealS3Options, startS3 } from './s3.ts'

const versitygw: GoTool = {
  name: 'versitygw',
  package: 'github.com/versity/versitygw/cmd/versitygw',
  version: 'v1.8.0'
}

/** Whether versitygw can be had here. */
export const hasVersitygw = hasGo

/** The path of the program; the first build takes three minutes. */
export function versitygwBinary(): Promise<string> {
  return goBinary(versitygw)
}

/** Starts the Versity S3 gateway over a directory, which it keeps over its lives: a file is an object. */
export async function startVersitygw(options: RealS3Options = {}): Promise<RealS3> {
  const command = await versitygwBinary()
  return await startS3('versitygw', options, ({ directory, address, endpoint, ...access }) => {
    const files = join(directory, 'files')
    const accounts = join(directory, 'accounts')
    for (const each of [files, accounts]) mkdirSync(each)
    return {
      command,
      args: ['--port', address, '--health', '/health', '--keep-alive', '--iam-dir', accounts, 'posix', files],
      env: {
        PATH: process.env.PATH,
        HOME: directory,
        ROOT_ACCESS_KEY: access.accessKeyId,
        ROOT_SECRET_KEY: access.secretAccessKey,
        VGW_REGION: access.region
      },
      ready: () => answers(`${endpoint}/health`)
    }
  })
}
