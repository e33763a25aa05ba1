import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { parseDataName } from '../../src/actors/store/names.ts'
import { Program } from '../lib/program.ts'

export const BUCKET = 'lake'
export const CREDENTIALS = { accessKeyId: 'bench', secretAccessKey: 'bench-secret' }

/** An empty object store in a process of its own. */
export class Lake {
  readonly endpoint: string
  readonly #program: Program
  readonly #folder: string
  readonly #client: S3Client

  private constructor(endpoint: string, program: Program, folder: string) {
    this.endpoint = endpoint
    this.#program = program
    this.#folder = folder
    this.#client = new S3Client({
      ...{ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: CREDENTIALS }
    })
  }

  static async start(): Promise<Lake> {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-bench-lake-'))
    const script = join(import.meta.dirname, 'store.ts')
    const { accessKeyId, secretAccessKey } = CREDENTIALS
    const args = [script, folder, BUCKET, accessKeyId, secretAccessKey]
    const program = new Program({ command: process.execPath, args })
    const listening = () => /listening (\S+)/.exec(program.printed)?.[1]
    const endpoint = await program.until('the object store', listening, { everyMs: 50, timeoutMs: 60_000 })
    return new Lake(endpoint, program, folder)
  }

  /** Offsets that published data files cover, which is records: nothing here is transactional. */
  async published(): Promise<number> {
    let offsets = 0
    for (const key of await this.#keys()) {
      const name = parseDataName(key)
      if (name !== undefined) offsets += name.to - name.from
    }
    return offsets
  }

  async download(folder: string): Promise<void> {
    mkdirSync(folder, { recursive: true })
    for (const key of await this.#keys()) {
      const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }))
      writeFileSync(join(folder, basename(key)), (await Body?.transformToByteArray()) ?? '')
    }
  }

  async stop(): Promise<void> {
    this.#client.destroy()
    await this.#program.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #keys(): Promise<string[]> {
    const keys: string[] = []
    for (let token: string | undefined; ; ) {
      const page = await this.#client.send(
        new ListObjectsV2Command({ Bucket: BUCKET, Prefix: 'data/', ContinuationToken: token })
      )
      keys.push(...(page.Contents ?? []).flatMap(({ Key }) => Key ?? []))
      token = page.NextContinuationToken
      if (token === undefined) return keys
    }
  }
}
