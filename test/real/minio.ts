import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type GoTool, goBinary, hasGo } from './go-tool.ts'
import { answers, type RealS3, type RealS3Options, startS3 } from './s3.ts'

export type { RealS3 } from './s3.ts'

const minio: GoTool = {
  name: 'minio',
  package: 'github.com/minio/minio',
  version: 'v0.0.0-20260212201848-7aac2a2c5b7c'
}

/** Whether MinIO can be had here. */
export const hasMinio = hasGo

/** Variables that give it a KMS with one key, `events`; without them it encrypts nothing. */
export const minioKms = { MINIO_KMS_SECRET_KEY: `events:${randomBytes(32).toString('base64')}` }

/** The path of the program; the first build takes five minutes. */
export function minioBinary(): Promise<string> {
  return goBinary(minio)
}

/** Starts MinIO on one directory, which it keeps over its lives; its scanner goes through all objects every second. */
export async function startMinio(options: RealS3Options = {}): Promise<RealS3> {
  const command = await minioBinary()
  return await startS3('MinIO', options, ({ directory, address, endpoint, ...access }) => ({
    command,
    args: [
      ...['server', join(directory, 'data'), '--address', address],
      ...['--certs-dir', join(directory, 'certs')]
    ],
    env: {
      PATH: process.env.PATH,
      HOME: directory,
      MINIO_ROOT_USER: access.accessKeyId,
      MINIO_ROOT_PASSWORD: access.secretAccessKey,
      MINIO_SITE_REGION: access.region,
      MINIO_SCANNER_SPEED: 'fastest',
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
      ...options.env
    },
    ready: () => answers(`${endpoint}/minio/health/ready`)
  }))
}
