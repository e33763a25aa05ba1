import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import type { RegistryConfig } from '../../config.ts'
import { Fault, toFault } from '../../errors.ts'
import { avroOptions } from './avro-types.ts'

/** A registered schema, as the library has compiled it. */
export type RegistrySchema =
  | { readonly type: 'avro'; readonly decode: (payload: Buffer) => unknown }
  | { readonly type: 'json-schema'; readonly decode: (payload: Buffer) => unknown }
  | { readonly type: 'other' }

const REQUEST_TIMEOUT_MS = 10_000
const MAGIC = 0
const HEADER_BYTES = 5

/** The schemas of a Confluent-compatible registry by their ids, which never change. One object serves all chains of a sink. */
export class Registry {
  readonly #client: SchemaRegistry
  readonly #known = new Map<number, RegistrySchema>()
  readonly #url: string

  constructor({ url, user, password }: RegistryConfig) {
    this.#url = url
    const auth = user === undefined ? {} : { auth: { username: user, password: password?.reveal() ?? '' } }
    this.#client = new SchemaRegistry(
      { host: url, ...auth, clientId: 'causeway', middlewares: [timeout] },
      // Formats are promises to people: a date that is none is the column's affair.
      { [SchemaType.AVRO]: avroOptions, [SchemaType.JSON]: { strict: false, validateFormats: false } }
    )
  }

  get(id: number): RegistrySchema | undefined {
    return this.#known.get(id)
  }

  /**
   * Makes `get` know a schema. Whatever is in the way is `registry-schema-unavailable` and retryable, an id that the registry
   * does not know too: who wrote it knew it, and may have registered it where this one is not copied from yet.
   */
  async load(id: number, signal: AbortSignal): Promise<void> {
    const stopped = Promise.withResolvers<never>()
    const stop = () => stopped.reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    try {
      const schema: unknown = await Promise.race([this.#client.getSchema(id), stopped.promise])
      this.#known.set(id, compiled(schema))
    } catch (cause) {
      if (signal.aborted) throw cause
      const what = `schema ${id} cannot be had from ${this.#url}: ${toFault(cause).message}`
      throw new Fault('registry-schema-unavailable', what, { retryable: true, cause })
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }
}

/** The id of the schema that a value in Confluent's wire format names; undefined when it is not in that format. */
export function schemaIdOf(buffer: Buffer, start: number, end: number): number | undefined {
  return end - start >= HEADER_BYTES && buffer[start] === MAGIC ? buffer.readInt32BE(start + 1) : undefined
}

/** Where what the schema describes begins. */
export function payloadStart(start: number): number {
  return start + HEADER_BYTES
}

function compiled(schema: unknown): RegistrySchema {
  if (typeof schema !== 'object' || schema === null || !('fromBuffer' in schema)) return { type: 'other' }
  // Checked right here: what the library calls a schema has this method.
  const { fromBuffer } = schema as { fromBuffer: (payload: Buffer) => unknown }
  const decode = (payload: Buffer) => fromBuffer.call(schema, payload)
  if ('createResolver' in schema) return { type: 'avro', decode }
  return 'detailedErrorPaths' in schema ? { type: 'json-schema', decode } : { type: 'other' }
}

/** The library's client waits for ever without. */
const timeout: NonNullable<ConstructorParameters<typeof SchemaRegistry>[0]['middlewares']>[number] = () => ({
  prepareRequest: async (next) => (await next()).enhance({ timeout: REQUEST_TIMEOUT_MS })
})
