import { join } from 'node:path'
import { pipPackages } from '../tools/pip.ts'
import { hasPython } from '../tools/python.ts'
import { answers, type RealS3, type RealS3Options, startS3 } from './s3.ts'

/** Whether moto can be had here. */
export const hasMoto = hasPython

/** The folder of moto's packages, fetched when it is not in the cache. */
export function motoPackages(): Promise<string> {
  return pipPackages('moto', join(import.meta.dirname, 'moto-requirements.txt'))
}

/** Starts moto's server, which knows much of S3, checks no credentials, and keeps everything in memory: a new life is empty. */
export async function startMoto(options: RealS3Options = {}): Promise<RealS3> {
  const packages = await motoPackages()
  return await startS3('moto', options, ({ address, endpoint, directory }) => {
    const [host = '', port = ''] = address.split(':')
    return {
      command: 'python3',
      args: ['-m', 'moto.server', '-H', host, '-p', port],
      env: { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1', TMPDIR: directory },
      ready: () => answers(`${endpoint}/moto-api/data.json`)
    }
  })
}
