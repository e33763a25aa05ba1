import { type Api, defineApi, type Services } from '../api.ts'
import type { BrokerSetting } from '../broker-config.ts'
import { codeOf, codes, KafkaError } from '../errors.ts'
import { type TopicConfig, topicSettings } from '../topic-config.ts'

const TOPIC = 2
const BROKER = 4
/** A value's type. */
const type = { boolean: 1, int: 3 } as const
/** Where a value comes from, in DescribeConfigs. */
const source = { topic: 1, broker: 2, file: 4, default: 5 } as const

interface Resource {
  readonly type: number
  readonly name: string
}

interface Wanted extends Resource {
  /** `null` asks for all. */
  readonly keys: readonly string[] | null
  readonly synonyms: boolean
}

interface Value {
  readonly name: string
  readonly value: string
  readonly source: number
}

interface Entry extends Value {
  readonly type: number
  readonly readOnly: boolean
  /** What would be the value without the one before, the value in force first. */
  readonly synonyms: readonly Value[]
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
      const synonyms = version >= 1 && reader.boolean()
      if (version >= 3) reader.boolean() // Documentation.
      return wanted.map((one) => ({ ...one, synonyms }))
    },
    subject: (wanted) => wanted.map(({ name }) => name).join(' '),
    handle: (wanted) => wanted.map((one) => describe(services, one)),
    refuse: (wanted, error) => wanted.map((one) => ({ ...one, error, message: null, entries: [] })),
    encode: (writer, results, version) => {
      writer.int32(0).structs(results, (_, { error, message, type, name, entries }) => {
        writer.int16(error).string(message).int8(type).string(name)
        writer.structs(entries, (_, entry) => {
          writer.string(entry.name).string(entry.value).boolean(entry.readOnly)
          if (version >= 1) writer.int8(entry.source)
          else writer.boolean(entry.source === source.default)
          writer.boolean(false)
          if (version >= 1) {
            writer.structs(entry.synonyms, (_, one) => {
              writer.string(one.name).string(one.value).int8(one.source)
            })
          }
          if (version >= 3) writer.int8(entry.type).string(null)
        })
      })
    }
  })
}

function describe({ topics, brokerConfig }: Services, wanted: Wanted): Described {
  const { name, keys } = wanted
  const answer = (error: number, message: string, entries: readonly Entry[] = []) => {
    const visible = entries.filter((one) => keys === null || keys.includes(one.name))
    const shown = visible.map((one) => (wanted.synonyms ? one : { ...one, synonyms: [] }))
    return { type: wanted.type, name, error, message, entries: shown }
  }
  if (wanted.type === BROKER) return answer(codes.NONE, '', brokerConfig.all().map(brokerEntry))
  if (wanted.type !== TOPIC) return answer(codes.INVALID_REQUEST, `resource type ${wanted.type} is not known`)
  const topic = topics.get(name)
  if (!topic) return answer(codes.UNKNOWN_TOPIC_OR_PARTITION, `Topic '${name}' does not exist.`)
  const all = Object.keys(topicSettings).map((key) => topicEntry(key, topic.config))
  return answer(codes.NONE, '', all)
}

function brokerEntry({ name, value, isStatic, isGiven }: BrokerSetting): Entry {
  const given = isStatic ? source.file : source.broker
  const entry = { name, value, source: isGiven ? given : source.default }
  return { ...entry, type: isStatic ? type.int : type.boolean, readOnly: isStatic, synonyms: [entry] }
}

function topicEntry(name: string, config: TopicConfig): Entry {
  const setting = topicSettings[name]
  const isGiven = config.isGiven(name)
  const entry = { name, value: config.get(name), source: isGiven ? source.topic : source.default }
  const byDefault = { name: setting?.synonym ?? '', value: setting?.default ?? '', source: source.default }
  const synonyms = [...(isGiven ? [entry] : []), ...(setting?.synonym === undefined ? [] : [byDefault])]
  return { ...entry, type: setting?.type ?? 0, readOnly: false, synonyms }
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
