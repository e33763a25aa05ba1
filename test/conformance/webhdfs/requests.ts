import { request as httpRequest } from 'node:http'

/** One WebHDFS request of the comparison with Apache Hadoop. */
export interface Step {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly path: string
  readonly op: string
  readonly user?: string
  readonly parameters?: Readonly<Record<string, string>>
  /** Sent to where the first answer redirects. */
  readonly body?: string
}

/** What came back, without what differs from run to run. */
export interface Answer {
  readonly step: string
  /** Status of the first answer, and of the second when it was a redirect. */
  readonly statuses: readonly number[]
  readonly contentType: string | null
  readonly body: unknown
}

/** Sends a request to a NameNode and its body to where that redirects. */
export async function call(
  namenode: string,
  method: Step['method'],
  path: string,
  op: string,
  parameters: Readonly<Record<string, string>> = {},
  body?: string
): Promise<Reply> {
  const query = new URLSearchParams({ op, 'user.name': 'root', ...parameters })
  const escaped = path.split('/').map(encodeURIComponent).join('/')
  const first = await send(method, `${namenode}/webhdfs/v1${escaped}?${query}`)
  return first.location === undefined ? first : await send(method, first.location, body)
}

/** The length of a file as readers see it, -1 when it is absent. */
export async function lengthOf(namenode: string, path: string): Promise<number> {
  const { text } = await call(namenode, 'GET', path, 'GETFILESTATUS')
  const { FileStatus } = JSON.parse(text) as { FileStatus?: { length: number } }
  return FileStatus?.length ?? -1
}

/** `403 SafeModeException` of an answer. */
export async function exceptionOf(reply: Promise<Reply>): Promise<string> {
  const { status, text } = await reply
  const { RemoteException } = JSON.parse(text) as { RemoteException?: { exception: string } }
  return `${status} ${RemoteException?.exception}`
}

/** Sends one request, follows it to the DataNode, and gives what was answered. */
export async function run(namenode: string, step: Step): Promise<Answer> {
  const path = step.path.split('/').map(encodeURIComponent).join('/')
  const query = new URLSearchParams({
    op: step.op,
    ...(step.user === undefined ? {} : { 'user.name': step.user }),
    ...step.parameters
  })
  const name = `${step.user ?? 'nobody'}: ${step.op} ${step.path} ${JSON.stringify(step.parameters ?? {})}`
  const first = await send(step.method, `${namenode}/webhdfs/v1${path}?${query}`)
  if (first.status !== 307 || first.location === undefined) return answerOf(name, [first.status], first)
  const second = await send(step.method, first.location, step.body)
  return answerOf(name, [first.status, second.status], second)
}

export interface Reply {
  readonly status: number
  readonly contentType: string | null
  readonly location: string | undefined
  readonly text: string
}

/**
 * Plain `node:http`: a DataNode says `100 Continue` to every upload although nobody expects it, which `fetch` (undici)
 * takes for a broken answer.
 */
export async function send(method: string, url: string, body?: string): Promise<Reply> {
  return await new Promise((resolve, reject) => {
    const request = httpRequest(url, { method }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          contentType: response.headers['content-type'] ?? null,
          location: response.headers.location,
          text: Buffer.concat(chunks).toString('utf8')
        })
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

function answerOf(step: string, statuses: readonly number[], response: Reply): Answer {
  const { contentType, text } = response
  const body = contentType?.startsWith('application/json') === true ? parse(text) : text
  return { step, statuses, contentType, body: steady(body) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const changing = new Set(['accessTime', 'modificationTime', 'fileId', 'Location', 'blockSize'])

function steady(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(steady)
  if (typeof value === 'string')
    return value.replace(/\n\tat .*/s, '').replaceAll(/127\.0\.0\.1:\d+/g, 'HOST')
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, one]) => [key, changing.has(key) ? '…' : steady(one)])
  return Object.fromEntries(entries)
}
