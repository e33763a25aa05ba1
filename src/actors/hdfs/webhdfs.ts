import { lookup } from 'node:dns/promises'
import { Fault } from '../../errors.ts'
import { HttpClient, type HttpReply } from './http.ts'

export interface WebHdfsOptions {
  /** Base URLs of the NameNodes without a trailing slash. */
  readonly namenodes: readonly string[]
  readonly user: string | undefined
  /** Hadoop's text of a delegation token; it says who asks, so `user` is not told beside it. */
  readonly delegationToken?: string | undefined
  readonly timeoutMs?: number
}

export interface HdfsStatus {
  readonly name: string
  readonly type: 'FILE' | 'DIRECTORY'
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly modifiedMs: number
}

type Query = Readonly<Record<string, string>>
type Method = 'GET' | 'PUT' | 'DELETE'

const TIMEOUT_MS = 30_000
const REPLY_BYTES_MAX = 64 * 1024 * 1024
/** How often a DataNode that cannot be reached is replaced by another before an upload or a read fails. */
const DATANODES_MAX = 3

/**
 * WebHDFS (Hadoop's REST API) as the store needs it. Paths are absolute. Rejects with a `Fault`:
 * `hdfs-not-found`, `hdfs-exists`, `store-quota`, `store-denied`, `store-refused` are answers and not retryable;
 * `store-unavailable`, `store-not-ready` and `unreachable` are retryable; only after the first may the operation have
 * happened.
 */
export class WebHdfs {
  readonly #options: WebHdfsOptions
  readonly #http: HttpClient
  /** The NameNode that answered last. */
  #active = 0

  constructor(options: WebHdfsOptions) {
    this.#options = options
    const { timeoutMs = TIMEOUT_MS } = options
    this.#http = new HttpClient({ timeoutMs, replyBytesMax: REPLY_BYTES_MAX })
  }

  /** Writes a whole file, replacing what is there. The first step asks the NameNode, the second sends the bytes. */
  async create(
    path: string,
    body: readonly Buffer[],
    permission: string,
    signal: AbortSignal
  ): Promise<void> {
    const query = { overwrite: 'true', permission }
    await this.#atDataNode('PUT', 'CREATE', path, query, body, signal)
  }

  /** The content of a file, or `undefined` when there is none. */
  async open(path: string, signal: AbortSignal): Promise<Buffer | undefined> {
    const reply = await orAbsent(this.#atDataNode('GET', 'OPEN', path, {}, undefined, signal))
    return reply?.body
  }

  async status(path: string, signal: AbortSignal): Promise<HdfsStatus | undefined> {
    const reply = await orAbsent(this.#atNameNode('GET', 'GETFILESTATUS', path, {}, signal))
    return reply && statusOf(field(jsonOf(reply), 'FileStatus'))
  }

  /** What lies in a directory, in no particular order; empty when it does not exist. */
  async list(path: string, signal: AbortSignal): Promise<HdfsStatus[]> {
    const reply = await orAbsent(this.#atNameNode('GET', 'LISTSTATUS', path, {}, signal))
    const list = reply && field(field(jsonOf(reply), 'FileStatuses'), 'FileStatus')
    return Array.isArray(list) ? list.map(statusOf) : []
  }

  /**
   * Renames with `renameoptions`: an existing target is refused with `hdfs-exists` (plain RENAME would move *into* a
   * directory). False where the server ignores the option and answers with a boolean (HttpFS).
   */
  async rename(
    from: string,
    to: string,
    option: 'NONE' | 'OVERWRITE',
    signal: AbortSignal
  ): Promise<boolean> {
    const query = { destination: to, renameoptions: option }
    const reply = await this.#atNameNode('PUT', 'RENAME', from, query, signal)
    return reply.body.length === 0 || field(jsonOf(reply), 'boolean') === true
  }

  /** Deletes one file; false when there was none. */
  async delete(path: string, signal: AbortSignal): Promise<boolean> {
    const reply = await this.#atNameNode('DELETE', 'DELETE', path, { recursive: 'false' }, signal)
    return field(jsonOf(reply), 'boolean') === true
  }

  close(): void {
    this.#http.close()
  }

  /**
   * Asks the active NameNode, then the others when it is standby, in safe mode, or was never reached. A request that may
   * have had its effect is not repeated elsewhere: its second answer would be about a changed world.
   */
  async #atNameNode(
    method: Method,
    op: string,
    path: string,
    query: Query,
    signal: AbortSignal
  ): Promise<HttpReply> {
    const { namenodes } = this.#options
    let refused: Fault | undefined
    for (let tried = 0; tried < namenodes.length; tried++) {
      const index = (this.#active + tried) % namenodes.length
      const base = namenodes[index] ?? ''
      try {
        const reply = await this.#http.send({ method, url: this.#url(base, op, path, query) }, signal)
        if (reply.status >= 400) throw remoteFault(reply, `${op} ${path}`)
        this.#active = index
        return reply
      } catch (error) {
        if (!(error instanceof Fault && isUntouched(error))) throw error
        refused = error
      }
    }
    throw refused ?? new Fault('store-refused', 'no NameNode is configured')
  }

  /**
   * Both steps of CREATE and OPEN. A DataNode that cannot be reached is excluded from the next first step. A NameNode in
   * standby answers the first step of CREATE all the same; the DataNode then writes at the active one, and says so when
   * there is none that it knows.
   */
  async #atDataNode(
    method: Method,
    op: string,
    path: string,
    query: Query,
    body: readonly Buffer[] | undefined,
    signal: AbortSignal
  ): Promise<HttpReply> {
    const excluded: string[] = []
    for (let standbys = 0, unreached = 0; ; ) {
      const excludes = excluded.length > 0 ? { excludedatanodes: excluded.join(',') } : {}
      const first = await this.#atNameNode(method, op, path, { ...query, ...excludes }, signal)
      // HttpFS reads by itself, where a NameNode sends to a DataNode.
      if (op === 'OPEN' && first.status === 200) return first
      if (first.status !== 307 || first.location === undefined) {
        throw new Fault('store-refused', `${op} ${path}: expected a redirect, got status ${first.status}`)
      }
      const url = new URL(first.location)
      try {
        const second = await this.#http.send({ method, url, ...(body && { body }) }, signal)
        if (second.status >= 300) throw remoteFault(second, `${op} ${path} at ${url.host}`)
        return second
      } catch (error) {
        if (!(error instanceof Fault && isUntouched(error))) throw error
        if (error.code === 'store-not-ready') {
          if (++standbys === this.#options.namenodes.length) throw error
          this.#active = (this.#active + 1) % this.#options.namenodes.length
        } else {
          if (++unreached === DATANODES_MAX) throw error
          excluded.push(...(await addressesOf(url.hostname)))
        }
      }
    }
  }

  #url(base: string, op: string, path: string, query: Query): URL {
    const url = new URL(`${base}/webhdfs/v1${path.split('/').map(encodeURIComponent).join('/')}`)
    const fields = Object.entries({ op, ...this.#identity(), ...query })
    url.search = fields.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
    return url
  }

  /** The NameNode puts the token into its redirects by itself. */
  #identity(): Query {
    const { user, delegationToken } = this.#options
    if (delegationToken !== undefined) return { delegation: delegationToken }
    return user === undefined ? {} : { 'user.name': user }
  }
}

/**
 * What a NameNode knows a DataNode by: IPv4 addresses without a port. A port is taken for the one of data transfer, which
 * WebHDFS does not tell, and an IPv6 address for a host with a port that is no number.
 */
async function addressesOf(hostname: string): Promise<string[]> {
  const found = await lookup(hostname, { all: true, family: 4 }).catch(() => [])
  return found.map(({ address }) => address)
}

/** Exceptions after which nothing has happened and another NameNode, or the same one later, may say yes. */
const UNTOUCHED = new Set(['StandbyException', 'SafeModeException', 'RetriableException'])
const QUOTA = /Quota.*ExceededException$/
const codes: Readonly<Record<string, string>> = {
  FileNotFoundException: 'hdfs-not-found',
  FileAlreadyExistsException: 'hdfs-exists',
  AccessControlException: 'store-denied',
  SecurityException: 'store-denied',
  AuthorizationException: 'store-denied',
  InvalidToken: 'store-denied',
  ParentNotDirectoryException: 'store-refused',
  IllegalArgumentException: 'store-refused',
  InvalidPathException: 'store-refused',
  UnsupportedOperationException: 'store-refused'
}

function isUntouched(fault: Fault): boolean {
  return fault.code === 'unreachable' || fault.code === 'store-not-ready'
}

/** What an error answer means. Without a RemoteException, or with one that is not listed, it may pass. */
function remoteFault(reply: HttpReply, what: string): Fault {
  const remote = field(parsed(reply.body), 'RemoteException')
  const exception = String(field(remote, 'exception') ?? '')
  const said = String(field(remote, 'message') ?? '').split('\n')[0]
  const message = `${what}: ${exception === '' ? `status ${reply.status}` : `${exception}: ${said}`}`
  // A NameNode in safe mode wraps its exception, so that the name stands only in the message.
  if (UNTOUCHED.has(exception) || /SafeModeException|safe mode/.test(said ?? '')) {
    return new Fault('store-not-ready', message, { retryable: true })
  }
  if (QUOTA.test(exception)) return new Fault('store-quota', message)
  const code = codes[exception] ?? (exception === '' ? statusCodes[reply.status] : undefined)
  return code ? new Fault(code, message) : new Fault('store-unavailable', message, { retryable: true })
}

/** A 404 without an exception comes from a proxy or a wrong address: it is not absence. */
const statusCodes: Readonly<Record<number, string>> = {
  400: 'store-refused',
  401: 'store-denied',
  403: 'store-denied',
  404: 'store-refused'
}

async function orAbsent<T>(reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply
  } catch (error) {
    if (error instanceof Fault && error.code === 'hdfs-not-found') return undefined
    throw error
  }
}

function statusOf(value: unknown): HdfsStatus {
  const type = field(value, 'type') === 'DIRECTORY' ? 'DIRECTORY' : 'FILE'
  const [bytes, modifiedMs] = [Number(field(value, 'length')), Number(field(value, 'modificationTime'))]
  return { name: String(field(value, 'pathSuffix') ?? ''), type, bytes, modifiedMs }
}

function jsonOf(reply: HttpReply): unknown {
  const value = parsed(reply.body)
  if (value !== undefined) return value
  const excerpt = JSON.stringify(reply.body.toString('utf8', 0, 60))
  throw new Fault('store-unavailable', `expected JSON, got ${excerpt}`, { retryable: true })
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
