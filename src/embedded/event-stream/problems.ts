import type { Reply } from '../http-service.ts'

/** X API's errors: problem details (RFC 7807) with its own types. */
const types = {
  none: 'about:blank',
  invalidRequest: 'https://api.twitter.com/2/problems/invalid-request',
  notFound: 'https://api.twitter.com/2/problems/resource-not-found',
  connection: 'https://api.twitter.com/2/problems/streaming-connection',
  disconnect: 'https://api.twitter.com/2/problems/operational-disconnect'
} as const

export function problem(
  status: number,
  title: string,
  detail: string,
  type: keyof typeof types = 'none',
  more: Readonly<Record<string, unknown>> = {}
): Reply {
  return {
    status,
    headers: { 'content-type': 'application/problem+json; charset=utf-8' },
    body: JSON.stringify({ title, detail, type: types[type], status, ...more })
  }
}

export const unauthorized = () => problem(401, 'Unauthorized', 'Unauthorized')

export const invalidRequest = (message: string, parameters: Readonly<Record<string, unknown>> = {}) =>
  problem(400, 'Invalid Request', 'One or more parameters to your request was invalid.', 'invalidRequest', {
    errors: [{ parameters, message }]
  })

export const tooManyConnections = () =>
  problem(
    429,
    'ConnectionException',
    'This stream is currently at the maximum allowed connection limit.',
    'connection',
    { connection_issue: 'TooManyConnections' }
  )

export const noRules = () =>
  problem(
    409,
    'ConnectionException',
    'You must define rules before connecting to the stream.',
    'connection',
    {
      connection_issue: 'RuleConfigurationIssue'
    }
  )

/** An event that announces the end of a stream. */
export const operationalDisconnect = JSON.stringify({
  errors: [
    {
      title: 'operational-disconnect',
      disconnect_type: 'UpstreamOperationalDisconnect',
      detail: 'This stream has been disconnected upstream for operational reasons.',
      type: types.disconnect
    }
  ]
})
