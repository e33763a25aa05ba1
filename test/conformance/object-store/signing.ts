import { createHash, createHmac } from 'node:crypto'
import { request } from 'node:http'
import type { S3Access } from '../../real/s3.ts'

/** A request as its bytes are, for what no SDK would send. */
export interface RawRequest {
  readonly method: string
  /** With its query, both in the form that is signed. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** `x-amz-content-sha256`: what is signed of the body. */
  readonly payload: string
}

export interface RawAnswer {
  readonly status: number
  /** `<Code>` of an error. */
  readonly code: string | undefined
  readonly body: string
}

/** The headers to send, and what the chunks of the body are signed with in turn. */
export interface Signed {
  readonly headers: Readonly<Record<string, string>>
  readonly chunks: ChunkSigner
}

/** Signs all headers (S3 API reference, "Authenticating Requests: Using the Authorization Header"). */
export function sign(access: S3Access, { method, path, headers, payload }: RawRequest): Signed {
  const timestamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const all: Record<string, string> = {
    ...headers,
    host: access.endpoint.replace('http://', ''),
    'x-amz-content-sha256': payload,
    'x-amz-date': timestamp
  }
  const names = Object.keys(all).sort()
  const [resource = '', query = ''] = path.split('?')
  const canonical = [
    ...[method, resource, query, ...names.map((name) => `${name}:${all[name]}`), ''],
    ...[names.join(';'), payload]
  ].join('\n')
  const scope = [timestamp.slice(0, 8), access.region, 's3', 'aws4_request']
  const key = scope.reduce<Buffer>(
    (previous, part) => hmac(previous, part),
    Buffer.from(`AWS4${access.secretAccessKey}`)
  )
  const signature = hmac(
    key,
    ['AWS4-HMAC-SHA256', timestamp, scope.join('/'), sha256(canonical)].join('\n')
  ).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${access.accessKeyId}/${scope.join('/')}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  return {
    headers: { ...all, authorization },
    chunks: new ChunkSigner(key, `${timestamp}\n${scope.join('/')}`, signature)
  }
}

/** Each chunk's signature covers the one before it ("Signature Calculations for … Chunked Upload"). */
class ChunkSigner {
  readonly #key: Buffer
  readonly #context: string
  #previous: string

  constructor(key: Buffer, context: string, seed: string) {
    this.#key = key
    this.#context = context
    this.#previous = seed
  }

  /** A chunk as it goes over the wire; an empty one is the last. */
  chunk(bytes: Buffer): Buffer {
    const signature = this.#next('AWS4-HMAC-SHA256-PAYLOAD', [sha256(''), sha256(bytes)])
    const head = `${bytes.length.toString(16)};chunk-signature=${signature}\r\n`
    return Buffer.concat([Buffer.from(head), bytes, Buffer.from(bytes.length === 0 ? '' : '\r\n')])
  }

  /** What follows the last chunk when there is a trailer. */
  trailer(name: string, value: string): Buffer {
    const signature = this.#next('AWS4-HMAC-SHA256-TRAILER', [sha256(`${name}:${value}\n`)])
    return Buffer.from(`${name}:${value}\r\nx-amz-trailer-signature:${signature}\r\n\r\n`)
  }

  #next(kind: string, hashes: readonly string[]): string {
    const text = [kind, this.#context, this.#previous, ...hashes].join('\n')
    this.#previous = hmac(this.#key, text).toString('hex')
    return this.#previous
  }
}

/** Sends a request as it is; the length is that of the body. */
export function sendRaw(
  access: S3Access,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${access.endpoint}${path}`, {
      ...{ method, path, agent: false },
      headers: { ...headers, 'content-length': body.length }
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1]
        resolve({ status: response.statusCode ?? 0, code, body: text })
      })
    })
    sent.end(body)
  })
}

export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
