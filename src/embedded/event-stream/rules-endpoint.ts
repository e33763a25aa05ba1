import type { IncomingMessage } from 'node:http'
import * as z from 'zod'
import { bodyOf, type Reply } from '../http-service.ts'
import { invalidRequest } from './problems.ts'
import type { RuleBook, RuleRefusal } from './rules.ts'

const BODY_BYTES_MAX = 4 * 1024 ** 2

const addition = z.strictObject({
  add: z.array(z.strictObject({ value: z.string(), tag: z.string().optional() })).min(1)
})
const deletion = z.strictObject({
  delete: z.strictObject({ ids: z.array(z.string()).optional(), values: z.array(z.string()).optional() })
})

/** `GET /2/tweets/search/stream/rules`; `ids=a,b` asks for some only. */
export function listRules(rules: RuleBook, query: URLSearchParams, nowMs: number): Reply {
  const ids = query.get('ids')?.split(',')
  const data = rules.list().filter(({ id }) => ids === undefined || ids.includes(id))
  return json(200, {
    ...(data.length > 0 ? { data } : {}),
    meta: { sent: new Date(nowMs).toISOString(), result_count: data.length }
  })
}

/** `POST /2/tweets/search/stream/rules`: `{"add": […]}` or `{"delete": {"ids": […]}}`, with `dry_run`. */
export async function changeRules(
  rules: RuleBook,
  request: IncomingMessage,
  query: URLSearchParams,
  nowMs: number
): Promise<Reply> {
  const body = await readJson(request)
  const dryRun = query.get('dry_run') === 'true'
  const sent = new Date(nowMs).toISOString()
  const adding = addition.safeParse(body)
  if (adding.success) {
    const { added, refused } = rules.add(adding.data.add, dryRun)
    const [created, not_created] = [added.length, refused.length]
    return json(201, {
      ...(created > 0 ? { data: added } : {}),
      meta: { sent, summary: { created, not_created, valid: created, invalid: not_created } },
      ...(not_created > 0 ? { errors: refused.map(refusalError) } : {})
    })
  }
  const deleting = deletion.safeParse(body)
  if (!deleting.success) return invalidRequest('The body must hold either "add" or "delete".')
  const { ids = [], values = [] } = deleting.data.delete
  const deleted = rules.delete(ids, values, dryRun)
  return json(200, {
    meta: { sent, summary: { deleted, not_deleted: ids.length + values.length - deleted } }
  })
}

function refusalError({ value, title, details, id }: RuleRefusal) {
  const kind = title === 'DuplicateRule' ? 'duplicate-rules' : 'invalid-rules'
  return {
    value,
    ...(id === undefined ? {} : { id }),
    details: [details],
    title,
    type: `https://api.twitter.com/2/problems/${kind}`
  }
}

function json(status: number, value: unknown): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(value)
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of bodyOf(request)) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) return undefined
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return undefined
  }
}
