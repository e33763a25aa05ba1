import { type Api, defineApi, type Services } from '../api.ts'
import { codeOf, codes, KafkaError } from '../errors.ts'
import { topicSettings } from '../topic-config.ts'

const TOPIC = 2
const BROKER = 4
/** A value's type. */
const BOOLEAN = 1
/** Where a value comes from, in DescribeConfigs. */
const source = { topic: 1, broker: 2, default: 5 } as const

interface Resource {
  readonly type: number
  readonly name: string
}

interface Wanted extends Resource {
  /** `null` asks for all. */
  readonly keys: readonly string[] | null
}

interface Entry {
  readonly name: string
  readonly value: string
  readonly source: number
  readonly type: number
}

interface Described extends Resource {
  readonly error: number
  readonly message: string | null
  readonly entries: readonly Entry[]
}

/** DescribeConfigs (key 32): of topics, and of brokers those settings that can be changed. */
export function describeConfigsApi(services: Services): Api {
  return defineApi<readonly Wanted[], readonly Described[]>({
    key: 32,
    name: 'DescribeConfigs',
    versions: [0, 4],
    flexibleFrom: 4,
    decode: (reader, version) => {
      const wanted = reader.structs(() => ({
        type: reader.int8(),
        name: reader.string(),
        keys: reader.nullableArray(() => reader.string())
      }))
      if (version >= 1) reader.boolean() // Synonyms: there are none.
      if (version >= 3) reader.boolean() // Documentation.
      return wanted
    },
    subject: (wanted) => wanted.map(({ name }) => name).join(' '),
    handle: (wanted) => wanted.map((one) => describe(services, one)),
    refuse: (wanted, error) => wanted.map((one) => ({ ...one, error, message: null, entries: [] })),
    encode: (writer, results, version) => {
      writer.int32(0).structs(results, (_, { error, message, type, name, entries }) => {
        writer.int16(error).string(message).int8(type).string(name)
        writer.structs(entries, (_, entry) => {
          writer.string(entry.name).string(entry.value).boolean(false)
          if (version >= 1) writer.int8(entry.source)
          else writer.boolean(entry.source === source.default)
          writer.boolean(false)
          if (version >= 1) writer.structs([], () => {})
          if (version >= 3) writer.int8(entry.type).string(null)
        })
      })
    }
  })
}

function describe({ topics, brokerConfig }: Services, wanted: Wanted): Described {
  const { type, name, keys } = wanted
  const refuse = (error: number, message: string) => ({ type, name, error, message, entries: [] })
  const isWanted = (key: string) => keys === null || keys.includes(key)
  if (type === BROKER) {
    const given = brokerConfig.given()
    const entries = brokerConfig
      .names()
      .filter(isWanted)
      .map((key) => ({
        name: key,
        value: brokerConfig.get(key),
        source: key in given ? source.broker : source.default,
        type: BOOLEAN
      }))
    return { type, name, error: codes.NONE, message: null, entries }
  }
  if (type !== TOPIC) return refuse(codes.INVALID_REQUEST, `resource type ${type} is not known`)
  const topic = topics.get(name)
  if (!topic) return refuse(codes.UNKNOWN_TOPIC_OR_PARTITION, `Topic '${name}' does not exist.`)
  const entries = Object.entries(topicSettings)
    .filter(([key]) => isWanted(key))
    .map(([key, setting]) => ({
      name: key,
      value: topic.config.get(key),
      source: topic.config.isGiven(key) ? source.topic : source.default,
      type: setting.type
    }))
  return { type, name, error: codes.NONE, message: null, entries }
}

type Operation = 'set' | 'delete' | 'append' | 'subtract'

interface Alteration {
  readonly name: string
  readonly operation: Operation
  readonly value: string
}

interface Altered extends Resource {
  readonly alterations: readonly Alteration[]
  /** AlterConfigs replaces all settings, IncrementalAlterConfigs changes those it names. */
  readonly replace: boolean
}

interface AlterRequest {
  readonly resources: readonly Altered[]
  readonly validateOnly: boolean
}

interface AlterResult extends Resource {
  readonly error: number
  readonly message: string | null
}

const operations: readonly Operation[] = ['set', 'delete', 'append', 'subtract']

/** AlterConfigs (key 33) and IncrementalAlterConfigs (key 44), of topics and of brokers. */
export function alterConfigsApis(services: Services): Api[] {
  const kinds = [
    { key: 33, name: 'AlterConfigs', versions: [0, 2], flexibleFrom: 2, incremental: false },
    { key: 44, name: 'IncrementalAlterConfigs', versions: [0, 1], flexibleFrom: 1, incremental: true }
  ] as const
  return kinds.map(({ incremental, ...api }) =>
    defineApi<AlterRequest, readonly AlterResult[]>({
      ...api,
      decode: (reader) => {
        const resources = reader.structs(() => ({
          type: reader.int8(),
          name: reader.string(),
          alterations: reader.structs(() => ({
            name: reader.string(),
            operation: (incremental ? operations[reader.int8()] : 'set') ?? 'set',
            value: reader.nullableString() ?? ''
          })),
          replace: !incremental
        }))
        return { resources, validateOnly: reader.boolean() }
      },
      subject: ({ resources }) => resources.map(({ name }) => name).join(' '),
      handle: ({ resources, validateOnly }) => resources.map((one) => alter(services, one, validateOnly)),
      refuse: ({ resources }, error) => resources.map((one) => ({ ...one, error, message: null })),
      encode: (writer, results) => {
        writer.int32(0).structs(results, (_, { error, message, type, name }) => {
          writer.int16(error).string(message).int8(type).string(name)
        })
      }
    })
  )
}

function alter({ topics, brokerConfig }: Services, resource: Altered, validateOnly: boolean): AlterResult {
  const { type, name } = resource
  try {
    if (type !== TOPIC && type !== BROKER) {
      throw new KafkaError(codes.INVALID_REQUEST, 'only topics and brokers have configs here')
    }
    const current = type === BROKER ? brokerConfig : topics.get(name)?.config
    const config = resource.replace ? {} : { ...current?.given() }
    for (const alteration of resource.alterations) {
      change(config, alteration, current?.get(alteration.name) ?? '')
    }
    if (type === BROKER) brokerConfig.configure(config, validateOnly)
    else topics.configure(name, config, validateOnly)
    return { type, name, error: codes.NONE, message: null }
  } catch (error) {
    return {
      type,
      name,
      error: codeOf(error),
      message: error instanceof Error ? error.message : String(error)
    }
  }
}

function change(
  config: Record<string, string>,
  { name, operation, value }: Alteration,
  current: string
): void {
  const list = current === '' ? [] : current.split(',')
  switch (operation) {
    case 'set':
      config[name] = value
      return
    case 'delete':
      delete config[name]
      return
    case 'append':
      config[name] = [...new Set([...list, ...value.split(',')])].join(',')
      return
    case 'subtract':
      config[name] = list.filter((one) => !value.split(',').includes(one)).join(',')
  }
}
