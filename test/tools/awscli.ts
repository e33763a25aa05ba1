import { join } from 'node:path'
import type { S3Access } from '../real/s3.ts'
import { pipPackages } from './pip.ts'
import { type RunResult, run } from './run.ts'

/** The folder of the packages of Amazon's command line client, fetched when it is not in the cache. */
export function awscliPackages(): Promise<string> {
  return pipPackages('awscli', join(import.meta.dirname, 'awscli-requirements.txt'))
}

const NOWHERE = '/nonexistent'

/** Runs `aws`, which answers in JSON, on an object store and on nothing else of this machine's configuration. */
export async function runAws(access: S3Access, args: readonly string[]): Promise<RunResult> {
  const common = ['--endpoint-url', access.endpoint, '--output', 'json']
  return await run('python3', ['-m', 'awscli', ...common, ...args], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LANG: 'C.UTF-8',
      PYTHONPATH: await awscliPackages(),
      PYTHONDONTWRITEBYTECODE: '1',
      AWS_ACCESS_KEY_ID: access.accessKeyId,
      AWS_SECRET_ACCESS_KEY: access.secretAccessKey,
      AWS_DEFAULT_REGION: access.region,
      AWS_CONFIG_FILE: NOWHERE,
      AWS_SHARED_CREDENTIALS_FILE: NOWHERE,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_MAX_ATTEMPTS: '1'
    }
  })
}
