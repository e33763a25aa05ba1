import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Registered {
  readonly schema: string
  readonly schemaType?: 'JSON' | 'PROTOBUF'
  readonly references?: readonly {
    readonly name: string
    readonly subject: string
    readonly version: number
  }[]
}

export interface FakeRegistry {
  readonly url: string
  readonly schemas: Map<number, Registered>
  /** By `<subject>/<version>`. */
  readonly subjects: Map<string, Registered>
  /** Paths asked for, and with which credentials. */
  readonly requests: { readonly path: string; readonly authorization: string | undefined }[]
  /** Answers so many requests with this status, and forgets about it. */
  failing: { status: number; times: number }
  close(): Promise<void>
}

/** The part of Confluent's schema registry that readers use (its documentation, "Schema Registry API"). */
export async function startFakeRegistry(): Promise<FakeRegistry> {
  const requests: FakeRegistry['requests'] = []
  const schemas = new Map<number, Registered>()
  const subjects = new Map<string, Registered>()
  const server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?')
    requests.push({ path, authorization: request.headers.authorization })
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
      response.end(JSON.stringify(body))
    }
    if (fake.failing.times-- > 0)
      return answer(fake.failing.status, { error_code: 50_001, message: 'failing' })
    const found =
      schemas.get(Number(/^\/schemas\/ids\/(\d+)$/.exec(path)?.[1])) ??
      subjects.get(/^\/subjects\/(.+)\/versions\/(.+)$/.exec(path)?.slice(1).join('/') ?? '')
    answer(found ? 200 : 404, found ?? { error_code: 40_403, message: 'Schema not found' })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const fake: FakeRegistry = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ schemas, subjects, requests },
    failing: { status: 500, times: 0 },
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    }
  }
  return fake
}

/** A value in Confluent's wire format. */
export function framed(id: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(5)
  header.writeInt32BE(id, 1)
  return Buffer.concat([header, payload])
}
