import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { lastingPorts } from '../tools/ports.ts'
import type { ServiceCommand } from '../tools/service.ts'
import { Restartable } from './restartable.ts'

/** How to reach an object store; addressing is by path. */
export interface S3Access {
  /** `http://127.0.0.1:<port>`. */
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
}

/** A real object store on a free loopback port, in a temporary directory. */
export interface RealS3 extends S3Access {
  createBucket(name: string): Promise<void>
  /** `SIGKILL`; resolves when the process is gone. */
  kill(): Promise<void>
  /** Its next life on the same port and directory; one that still runs is ended first. */
  restart(): Promise<void>
  /** The process stands still and keeps its sockets open. */
  freeze(): void
  thaw(): void
  /** Of the process that runs now. */
  readonly pid: number
  /** What it printed last. */
  printed(): string
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

export interface RealS3Options {
  readonly accessKeyId?: string
  readonly secretAccessKey?: string
  /** More variables of the server's process. */
  readonly env?: Readonly<Record<string, string>>
}

/** Where a store is to run, and as whom it is to know its client. */
export interface S3Place extends S3Access {
  readonly directory: string
  readonly address: string
}

/** Starts a store by the command that its place asks for. */
export async function startS3(
  name: string,
  options: RealS3Options,
  commandAt: (place: S3Place) => Omit<ServiceCommand, 'name'>
): Promise<RealS3> {
  const { accessKeyId = 'AKIDREALSTORE', secretAccessKey = 'secret/of+the-real-store' } = options
  const directory = mkdtempSync(join(tmpdir(), 'causeway-s3-'))
  const [port = -1] = await lastingPorts(1)
  const address = `127.0.0.1:${port}`
  const access = { endpoint: `http://${address}`, accessKeyId, secretAccessKey, region: 'us-east-1' }
  const process = new Restartable({ name, ...commandAt({ ...access, directory, address }) })
  const stop = async () => {
    await process.kill()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await process.start()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    ...access,
    stop,
    createBucket: (Bucket) =>
      withClient(access, async (client) => void (await client.send(new CreateBucketCommand({ Bucket })))),
    kill: () => process.kill(),
    restart: () => process.start(),
    freeze: () => process.freeze(),
    thaw: () => process.thaw(),
    get pid() {
      return process.pid
    },
    printed: () => process.printed()
  }
}

/** Whether a path of a service answers with success. */
export async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}

async function withClient(access: S3Access, use: (client: S3Client) => Promise<void>): Promise<void> {
  const { endpoint, region, ...credentials } = access
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  try {
    await use(client)
  } finally {
    client.destroy()
  }
}
