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

const root = '/causeway-scenario'

const put = (path: string, op: string, parameters: Step['parameters'] = {}, user = 'root'): Step => ({
  method: 'PUT',
  path: path.startsWith('/') ? path : `${root}/${path}`,
  op,
  user,
  parameters
})
const get = (path: string, op: string, parameters: Step['parameters'] = {}, user = 'root'): Step => ({
  ...put(path, op, parameters, user),
  method: 'GET'
})
const create = (path: string, body: string, parameters: Step['parameters'] = {}, user = 'root'): Step => ({
  ...put(path, 'CREATE', parameters, user),
  body
})
const append = (path: string, body: string): Step => ({ ...put(path, 'APPEND'), method: 'POST', body })
const remove = (path: string, recursive = 'false', user = 'root'): Step => ({
  ...put(path, 'DELETE', { recursive }, user),
  method: 'DELETE'
})
const rename = (path: string, destination: string, options?: string, user = 'root'): Step =>
  put(
    path,
    'RENAME',
    { destination: `${root}/${destination}`, ...(options === undefined ? {} : { renameoptions: options }) },
    user
  )

/** The requests in order; each one's state is what the ones before it left. */
export const steps: readonly Step[] = [
  get(root, 'GETFILESTATUS'),
  put(root, 'MKDIRS'),
  put(root, 'MKDIRS'),
  put('a/b/c', 'MKDIRS', { permission: '750' }),
  get('a/b', 'GETFILESTATUS'),
  get('a/b/c', 'GETFILESTATUS'),
  // create
  create('a/one', 'first content'),
  create('a/one', 'again'),
  create('a/one', 'second', { overwrite: 'true', permission: '444' }),
  create('a/one', 'third', { overwrite: 'true' }),
  get('a/one', 'GETFILESTATUS'),
  create('new/parent/file', 'parents'),
  create('new/strict/file', 'parents', { createparent: 'false' }),
  create('a', 'a directory is there'),
  create('a', 'a directory is there', { overwrite: 'true' }),
  create('a/one/below-a-file', 'x'),
  create('empty', ''),
  create('odd name +%25&=é🌊', 'odd'),
  put('a/one', 'MKDIRS'),
  put('a/one/dir', 'MKDIRS'),
  // open
  get('a/one', 'OPEN'),
  get('a/one', 'OPEN', { offset: '2', length: '3' }),
  get('a/one', 'OPEN', { offset: '2', length: '300' }),
  get('a/one', 'OPEN', { offset: '5' }),
  get('a/one', 'OPEN', { offset: '6' }),
  get('a/one', 'OPEN', { offset: '-1' }),
  get('empty', 'OPEN'),
  get('odd name +%25&=é🌊', 'OPEN'),
  get('absent', 'OPEN'),
  get('a', 'OPEN'),
  append('a/one', ' more'),
  append('absent', ' more'),
  get('a/one', 'OPEN'),
  // listing
  get('', 'LISTSTATUS'),
  get('a', 'LISTSTATUS'),
  get('a/one', 'LISTSTATUS'),
  get('absent', 'LISTSTATUS'),
  get('a', 'LISTSTATUS_BATCH'),
  get('a', 'LISTSTATUS_BATCH', { startAfter: 'b' }),
  get('a', 'LISTSTATUS_BATCH', { startAfter: 'zzz' }),
  get('absent', 'LISTSTATUS_BATCH'),
  get('', 'GETCONTENTSUMMARY'),
  get('a/one', 'GETCONTENTSUMMARY'),
  get('absent', 'GETCONTENTSUMMARY'),
  get('/', 'GETHOMEDIRECTORY', {}, 'alice'),
  // plain rename
  create('r/one', '1'),
  create('r/two', '2'),
  put('r/dir', 'MKDIRS'),
  rename('r/one', 'r/two'),
  rename('r/one', 'r/one'),
  rename('r/absent', 'r/three'),
  rename('r/one', 'r/absent/three'),
  rename('r/one', 'r/two/three'),
  rename('r/one', 'r/dir'),
  get('r/dir', 'LISTSTATUS'),
  rename('r/dir', 'r/dir/below'),
  rename('r/dir/one', 'r/moved'),
  rename('r/dir', 'r/dir2'),
  // rename with options
  rename('r/moved', 'r/two', 'NONE'),
  rename('r/moved', 'r/moved', 'NONE'),
  rename('r/absent', 'r/three', 'NONE'),
  rename('r/moved', 'r/absent/three', 'NONE'),
  rename('r/moved', 'r/two/three', 'NONE'),
  rename('r/moved', 'r/dir2', 'NONE'),
  rename('r/dir2', 'r/two', 'NONE'),
  rename('r/dir2', 'r/dir2/below', 'NONE'),
  rename('r/moved', 'r/named', 'NONE'),
  rename('r/named', 'r/two', 'OVERWRITE'),
  get('r/two', 'OPEN'),
  put('r/full/x', 'MKDIRS'),
  rename('r/dir2', 'r/full', 'OVERWRITE'),
  rename('r/dir2', 'r/full', 'NONE'),
  get('r', 'LISTSTATUS'),
  // delete
  remove('r/full'),
  remove('r/full', 'true'),
  remove('r/full', 'true'),
  remove('r/two'),
  // permissions
  put('p', 'MKDIRS', { permission: '755' }),
  put('p/alice', 'MKDIRS', { permission: '700' }),
  put('p/alice', 'SETOWNER', { owner: 'alice', group: 'people' }),
  create('p/file', 'x', {}, 'alice'),
  put('p/dir', 'MKDIRS', {}, 'alice'),
  create('p/alice/file', 'hers', {}, 'alice'),
  get('p/alice/file', 'GETFILESTATUS', {}, 'alice'),
  get('p/alice/file', 'GETFILESTATUS', {}, 'bob'),
  get('p/alice/file', 'OPEN', {}, 'bob'),
  get('p/alice', 'LISTSTATUS', {}, 'bob'),
  get('p/alice', 'GETCONTENTSUMMARY', {}, 'bob'),
  create('p/alice/bobs', 'x', {}, 'bob'),
  remove('p/alice/file', 'false', 'bob'),
  rename('p/alice/file', 'p/alice/moved', undefined, 'bob'),
  rename('p/alice/file', 'p/moved', 'NONE', 'alice'),
  put('p/alice/file', 'SETPERMISSION', { permission: '400' }, 'bob'),
  put('p/alice/file', 'SETPERMISSION', { permission: '400' }, 'alice'),
  put('p/alice/file', 'SETOWNER', { owner: 'bob' }, 'alice'),
  create('p/alice/file', 'again', { overwrite: 'true' }, 'alice'),
  rename('p/alice/file', 'p/alice/moved', 'NONE', 'alice'),
  put('p/absent', 'SETPERMISSION', { permission: '400' }),
  put('p', 'SETPERMISSION', { permission: '1777' }),
  create('p/mine', 'x', {}, 'alice'),
  remove('p/mine', 'false', 'bob'),
  rename('p/mine', 'p/alice/mine', 'NONE', 'bob'),
  create('p/mine', 'y', { overwrite: 'true' }, 'bob'),
  put('p/mine', 'SETPERMISSION', { permission: '600' }, 'bob'),
  put('p/mine', 'SETOWNER', { group: 'others' }, 'alice'),
  put('p/mine', 'SETPERMISSION', { permission: '0' }, 'alice'),
  get('p/mine', 'OPEN', {}, 'alice'),
  get('p/mine', 'GETFILESTATUS', {}, 'alice'),
  { ...append('p/mine', 'more'), user: 'alice' },
  put('p/tmp', 'MKDIRS', { permission: '1777' }, 'bob'),
  put('p/tmp/full', 'MKDIRS', {}, 'bob'),
  create('p/tmp/full/file', 'z', {}, 'bob'),
  remove('p/tmp/full', 'true', 'alice'),
  get('p', 'LISTSTATUS'),
  get('p', 'GETFILESTATUS'),
  // below a file, and the root
  ...['GETFILESTATUS', 'LISTSTATUS', 'OPEN', 'GETCONTENTSUMMARY'].map((op) => get('a/one/below', op)),
  remove('a/one/below'),
  rename('a/one/below', 'a/two'),
  rename('a/one/below', 'a/two', 'NONE'),
  put('a/one/below', 'SETPERMISSION', { permission: '700' }),
  put('/', 'RENAME', { destination: `${root}/x` }),
  put('/', 'RENAME', { destination: `${root}/x`, renameoptions: 'NONE' }),
  put(`${root}/a/one`, 'RENAME', { destination: '/', renameoptions: 'NONE' }),
  put(`${root}/a/one`, 'RENAME', { destination: `${root}/r/`, renameoptions: 'NONE' }),
  put(`${root}/a/one`, 'RENAME', { destination: `${root}/a//x`, renameoptions: 'NONE' }),
  put(`${root}/a/one`, 'RENAME', { destination: `${root}/x`, renameoptions: 'SOME' }),
  put(`${root}/a/one`, 'RENAME', { destination: `${root}/a/renamed/`, renameoptions: 'NONE' }),
  put(`${root}/a/renamed`, 'RENAME', { destination: `${root}/a/one`, renameoptions: 'none' }),
  create('/', 'x'),
  put('/', 'MKDIRS'),
  remove('/'),
  { method: 'GET', path: root, op: 'GETFILESTATUS' },
  { method: 'PUT', path: `${root}/nobody`, op: 'MKDIRS' },
  // bad requests
  get('a', 'NOSUCHOP'),
  put('a', 'RENAME', { destination: 'relative' }),
  put('a', 'RENAME'),
  put('a', 'MKDIRS', { permission: '9' }),
  get('a', 'MKDIRS'),
  { method: 'PUT', path: `${root}/a//b/./c`, op: 'MKDIRS', user: 'root' },
  { method: 'GET', path: `${root}/a/`, op: 'GETFILESTATUS', user: 'root' },
  create('a/one', 'x', { noredirect: 'true' })
]

/** Runs the steps against a namenode (`http://host:port`) and gives what it answered. */
export async function runScenario(namenode: string): Promise<Answer[]> {
  const answers: Answer[] = []
  await run(namenode, remove(root, 'true'))
  for (const step of steps) answers.push(await run(namenode, step))
  return answers
}

async function run(namenode: string, step: Step): Promise<Answer> {
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

interface Response {
  readonly status: number
  readonly contentType: string | null
  readonly location: string | undefined
  readonly text: string
}

/**
 * Plain `node:http`: a DataNode says `100 Continue` to every upload although nobody expects it, which `fetch` (undici)
 * takes for a broken answer.
 */
export async function send(method: string, url: string, body?: string): Promise<Response> {
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

function answerOf(step: string, statuses: readonly number[], response: Response): Answer {
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
