import type { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import type { RegistryConfig } from '../../config.ts'
import { Fault, toFault } from '../../errors.ts'

/** A registered schema, as the library has compiled it. */
export type RegistrySchema =
  | { readonly type: 'avro'; readonly decode: (payload: Buffer) => unknown }
  | { readonly type: 'json-schema'; readonly decode: (payload: Buffer) => unknown }
  | { readonly type: 'other' }

const MAGIC = 0
const HEADER_BYTES = 5

/** The schemas of a Confluent-compatible registry by their ids, which never change. One object serves all chains of a sink. */
export class Registry {
  readonly #known = new Map<number, RegistrySchema>()
  readonly #config: RegistryConfig
  #client: Promise<SchemaRegistry> | undefined

  constructor(config: RegistryConfig) {
    this.#config = config
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
      this.#client ??= import('./registry-client.ts').then(({ openClient }) => openClient(this.#config))
      const asked = this.#client.then((client): Promise<unknown> => client.getSchema(id))
      const schema = await Promise.race([asked, stopped.promise])
      this.#known.set(id, compiled(schema))
    } catch (cause) {
      if (signal.aborted) throw cause
      const what = `schema ${id} cannot be had from ${this.#config.url}: ${toFault(cause).message}`
      throw new Fault('registry-schema-unavailable', what, { retryable: true, cause })
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }
}

/** The id of the schema that a value in Confluent's wire format names; undefined when it is not in that format. */
export function schemaIdOf(buffer: Buffer, start: number, end: number): number | undefined {
  if (end - start < HEADER_BYTES || buffer[start] !== MAGIC) return undefined
  const id = buffer.readInt32BE(start + 1)
  return id < 0 ? undefined : id
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
