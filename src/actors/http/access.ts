import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { HttpConfig } from '../../config.ts'

/**
 * Whether a request may see the worker. With a token it is asked of every request; without one the server listens on
 * loopback only, and the `Host` must be an address or `localhost`, so that no web page can reach us through a name of
 * its own that leads to 127.0.0.1 (DNS rebinding).
 */
export function mayEnter(config: HttpConfig, headers: Headers): boolean {
  if (config.token === undefined) return isDirect(headers.host ?? '')
  const [scheme, given, ...rest] = (headers.authorization ?? '').split(' ')
  const isBearer = scheme?.toLowerCase() === 'bearer' && rest.length === 0
  return isBearer && isSame(given ?? '', config.token.reveal())
}

interface Headers {
  readonly host?: string | undefined
  readonly authorization?: string | undefined
}

function isDirect(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replaceAll(/[[\]]/g, '')
  return name === 'localhost' || isIP(name) !== 0
}

/** Compares in a time that tells nothing about where two texts differ. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected))
}
