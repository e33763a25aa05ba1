import type { Definition, Exchange } from 'kafkajs/src/protocol/requests/index.js'
import { Fault } from '../../errors.ts'
import type { CallOptions, Link } from './link.ts'

/**
 * Sends a request in kafkajs' encoding, in the newest version that both it and the broker know, and resolves with the
 * decoded answer: error codes are data. Rejects as `Link.call`, or with `broker-too-old`.
 */
export async function ask<Arguments, Decoded>(
  link: Link,
  definition: Definition<Arguments, Decoded>,
  args: Arguments,
  options?: CallOptions
): Promise<Decoded> {
  const { request, response } = agree(link, definition, args)
  const { buffer } = await request.encode()
  return link.call(
    {
      key: request.apiKey,
      version: request.apiVersion,
      name: request.apiName,
      encode: () => [buffer],
      decode: (body: Buffer) => response.decode(body)
    },
    options
  )
}

function agree<Arguments, Decoded>(
  link: Link,
  { versions, protocol }: Definition<Arguments, Decoded>,
  args: Arguments
): Exchange<Decoded> {
  const newest = Math.max(...versions.map(Number))
  const exchange = protocol({ version: newest })(args)
  const offered = link.version(exchange.request.apiKey)
  if (offered === undefined) {
    throw new Fault('broker-too-old', `${link.address} does not know ${exchange.request.apiName}`)
  }
  return offered >= newest ? exchange : protocol({ version: offered })(args)
}
