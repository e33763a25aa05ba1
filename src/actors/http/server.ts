import fastify, { type FastifyInstance } from 'fastify'
import type { Config } from '../../config.ts'
import { Fault, toFault } from '../../errors.ts'
import { unreadiness, type WorkerView } from '../../worker/view.ts'
import { fromTask } from '../task.ts'
import { mayEnter } from './access.ts'
import { Metrics } from './metrics.ts'
import { loadPage } from './page.ts'
import { Rates } from './rates.ts'
import { drawRoad } from './road.ts'

export interface HttpOptions {
  readonly config: Config
  /** The worker at this moment. */
  readonly view: () => WorkerView
  /** Called with the URL that the server answers at. */
  readonly onListening: (address: string) => void
  /** Called when the server has let go of its port, also when it never had it. */
  readonly onClosed: () => void
}

/** Serves the page and its data until it is stopped; reports `http.listening` when it answers. */
export function httpServer({ config, view, onListening, onClosed }: HttpOptions) {
  return fromTask<void, unknown, never, { readonly type: 'http.listening' }>(async ({ signal, report }) => {
    const app = buildServer(config, view)
    try {
      onListening(await listen(app, config.http))
      report({ type: 'http.listening' })
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve()
        signal.addEventListener('abort', () => resolve())
      })
    } finally {
      await app.close()
      onClosed()
    }
  })
}

async function listen(app: FastifyInstance, { host, port }: { host: string; port: number }): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
    if (code === 'EADDRINUSE')
      throw new Fault('port-in-use', `http.listen ${address} is in use`, { cause: error })
    const reason = code === 'EACCES' ? 'the port needs privileges' : toFault(error).message
    throw new Fault('config-invalid', `cannot listen at http.listen ${address}: ${reason}`, { cause: error })
  }
}

/**
 *     /             the page; it holds no data and asks for the token itself
 *     /api/state    everything that the page shows, as JSON
 *     /metrics      the same for Prometheus
 *     /healthz      200 while the process answers
 *     /readyz       200 when every role is ready, else 503; reasons only for those who may see the worker
 */
export function buildServer(config: Config, view: () => WorkerView): FastifyInstance {
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    requestTimeout: 10_000,
    bodyLimit: 1024,
    routerOptions: { ignoreTrailingSlash: true }
  })
  const page = loadPage()
  const metrics = new Metrics()
  const road = drawRoad(config)
  const rates = new Rates()
  const open = new Set(['/', '/healthz', '/readyz'])

  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer'
    })
    if (open.has(request.routeOptions.url ?? '') || mayEnter(config.http, request.headers)) return
    if (config.http.token !== undefined) reply.header('www-authenticate', 'Bearer')
    await reply.code(config.http.token === undefined ? 421 : 401).send({ error: 'unauthorized' })
  })

  app.get('/', (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', page.contentSecurityPolicy)
      .send(page.html)
  )
  app.get('/api/state', () => {
    const current = view()
    return { ...current, unready: unreadiness(current), rates: ratesByRole(rates, current), road }
  })
  app.get('/metrics', async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.render(view()))
  )
  app.get('/healthz', () => ({ status: 'ok' }))
  app.get('/readyz', (request, reply) => {
    const reasons = unreadiness(view())
    const shown = mayEnter(config.http, request.headers) ? { reasons } : {}
    return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, ...shown })
  })
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found' }))
  app.setErrorHandler((error, _request, reply) => reply.code(500).send({ error: toFault(error).code }))
  return app
}

/** Counters per second, by role id and counter name. */
function ratesByRole(rates: Rates, view: WorkerView): Record<string, Record<string, number>> {
  const totals = Object.fromEntries(
    view.roles.flatMap(({ id, counters }) =>
      Object.entries(counters).map(([name, value]) => [`${id} ${name}`, value])
    )
  )
  const byRole: Record<string, Record<string, number>> = {}
  for (const [key, rate] of Object.entries(rates.update(view.now, totals))) {
    const [id = '', name = ''] = key.split(' ')
    byRole[id] = { ...byRole[id], [name]: rate }
  }
  return byRole
}
