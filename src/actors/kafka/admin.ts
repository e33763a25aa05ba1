import protocol from 'kafkajs/src/protocol/requests/index.js'
import { Fault } from '../../errors.ts'
import { ask } from './ask.ts'
import type { Cluster } from './cluster.ts'
import { refusal } from './errors.ts'
import type { Api, Link } from './link.ts'
import { Reader, Writer } from './wire.ts'

/**
 * Questions of operators: configs of topics and brokers, more partitions, ACLs. All of them reject with a Fault; what
 * passes by itself is asked again for at most the cluster's request timeout.
 */

/** One config of a topic. */
export interface ConfigEntry {
  readonly value: string
  /** It was set for the topic itself. Otherwise it is a default, of the broker's settings or of Kafka. */
  readonly isOwn: boolean
}

/** Configs by name; without those that cannot be changed and those that are secret. */
export type ConfigEntries = ReadonlyMap<string, ConfigEntry>

/** What becomes of one config of a topic: `value` undefined takes the broker's default again. */
export interface ConfigChange {
  readonly name: string
  readonly value: string | undefined
}

const { AlterConfigs, CreateAcls, CreatePartitions, DescribeAcls, DescribeConfigs } = protocol.requests
const TOPIC = 2
const BROKER = 4
const OWN = 1
const BROKERS_ASKED = 3
/** Topics that one request asks for: the answer has some 5 KB of each. */
const TOPICS_PER_REQUEST = 200

/** The configs of topics by name, or why they cannot be read. */
export async function describeTopics(
  cluster: Cluster,
  topics: readonly string[],
  signal: AbortSignal
): Promise<Map<string, ConfigEntries | Fault>> {
  const found = new Map<string, ConfigEntries | Fault>()
  for (let at = 0; at < topics.length; at += TOPICS_PER_REQUEST) {
    const resources = topics
      .slice(at, at + TOPICS_PER_REQUEST)
      .map((name) => ({ type: TOPIC, name, configNames: [] }))
    const question = (link: Link) => ask(link, DescribeConfigs, { resources, includeSynonyms: false })
    const answer = await cluster.ask(question, signal)
    for (const { resourceName, errorCode, errorMessage, configEntries } of answer.resources) {
      const entries = configEntries.flatMap(
        ({ configName, configValue, configSource, readOnly, isSensitive }) =>
          configValue === null || readOnly || isSensitive
            ? []
            : [[configName, { value: configValue, isOwn: configSource === OWN }] as const]
      )
      const fault = refusal(errorCode, `config of topic ${resourceName} on ${cluster.name}`, errorMessage)
      found.set(resourceName, fault ?? new Map(entries))
    }
  }
  return found
}

/** A setting of some broker, `undefined` when it knows none of that name. */
export async function brokerSetting(
  cluster: Cluster,
  name: string,
  signal: AbortSignal
): Promise<string | undefined> {
  const { brokers } = await cluster.metadata(signal, [])
  const over = new AbortController()
  const patience = AbortSignal.any([signal, over.signal])
  // Each broker answers for itself, and one of them may be about to be gone.
  const asking = [...brokers.keys()].slice(0, BROKERS_ASKED).map((node) => {
    const resources = [{ type: BROKER, name: String(node), configNames: [name] }]
    const question = (link: Link) => ask(link, DescribeConfigs, { resources, includeSynonyms: false })
    return cluster.askNode(node, question, patience)
  })
  const answer = await Promise.any(asking)
    .catch(async () => asking[0] ?? Promise.reject(new Fault('unreachable', `${cluster.name} has no broker`)))
    .finally(() => over.abort())
  const [resource] = answer.resources
  const fault = refusal(resource?.errorCode ?? -1, `settings of ${cluster.name}`, resource?.errorMessage)
  if (fault !== undefined) throw fault
  return resource?.configEntries.find(({ configName }) => configName === name)?.configValue ?? undefined
}

/** Grows a topic to so many partitions. */
export async function growTopic(
  cluster: Cluster,
  topic: string,
  count: number,
  signal: AbortSignal
): Promise<void> {
  const topicPartitions = [{ topic, count }]
  const timeout = cluster.requestTimeoutMs
  await cluster.askController(async (link) => {
    const { topicErrors } = await ask(link, CreatePartitions, { topicPartitions, timeout })
    const [{ errorCode = -1, errorMessage = null } = {}] = topicErrors
    const fault = refusal(errorCode, `topic ${topic}`, errorMessage)
    if (fault !== undefined) throw fault
  }, signal)
}

/**
 * Changes configs of a topic and leaves its others alone: by IncrementalAlterConfigs (Kafka 2.3), and where there is no
 * such request by setting all of its own ones anew, for which `current` must be what it has.
 */
export async function alterTopic(
  cluster: Cluster,
  topic: string,
  changes: readonly ConfigChange[],
  current: ConfigEntries,
  signal: AbortSignal
): Promise<void> {
  await cluster.ask(async (link) => {
    const { error, message } =
      link.version(INCREMENTAL_ALTER_CONFIGS) === undefined
        ? await replaceConfigs(link, topic, changes, current)
        : await link.call(incrementalAlterApi(topic, changes))
    const fault = refusal(error, `config of topic ${topic}`, message)
    if (fault !== undefined) throw fault
  }, signal)
}

interface Altered {
  readonly error: number
  readonly message: string | null | undefined
}

async function replaceConfigs(
  link: Link,
  name: string,
  changes: readonly ConfigChange[],
  current: ConfigEntries
): Promise<Altered> {
  const own = new Map([...current].flatMap(([key, { value, isOwn }]) => (isOwn ? [[key, value]] : [])))
  for (const change of changes) {
    if (change.value === undefined) own.delete(change.name)
    else own.set(change.name, change.value)
  }
  const configEntries = [...own].map(([key, value]) => ({ name: key, value }))
  const { resources } = await ask(link, AlterConfigs, { resources: [{ type: TOPIC, name, configEntries }] })
  return { error: resources[0]?.errorCode ?? -1, message: resources[0]?.errorMessage }
}

const INCREMENTAL_ALTER_CONFIGS = 44
const SET = 0
const DELETE = 1

/** IncrementalAlterConfigs v0, which kafkajs does not know. */
function incrementalAlterApi(topic: string, changes: readonly ConfigChange[]): Api<Altered> {
  return {
    key: INCREMENTAL_ALTER_CONFIGS,
    version: 0,
    name: 'IncrementalAlterConfigs',
    encode: () => {
      const writer = new Writer().int32(1).int8(TOPIC).string(topic).int32(changes.length)
      for (const { name, value } of changes) {
        writer
          .string(name)
          .int8(value === undefined ? DELETE : SET)
          .string(value ?? null)
      }
      return [writer.boolean(false).take()]
    },
    decode: (body) => {
      const reader = new Reader(body)
      reader.int32()
      const [answer = { error: -1, message: undefined }] = reader.array(() => {
        const altered = { error: reader.int16(), message: reader.nullableString() }
        reader.int8()
        reader.string()
        return altered
      })
      return answer
    }
  }
}

/** Who may or may not do what with a topic of exactly this name. Numbers as in Kafka's `AclOperation` and so on. */
export interface TopicAcl {
  readonly topic: string
  /** `User:alice` */
  readonly principal: string
  readonly host: string
  readonly operation: number
  readonly permission: number
}

export const aclOperation = { all: 2, read: 3, write: 4 } as const
export const aclPermission = { deny: 2, allow: 3 } as const
const ANY = 1
const LITERAL = 3
const SECURITY_DISABLED = 54

/** The ACLs of topics by their literal names; `undefined` when the brokers have no authorizer. */
export async function topicAcls(cluster: Cluster, signal: AbortSignal): Promise<TopicAcl[] | undefined> {
  const everything = {
    resourceType: TOPIC,
    resourceName: null,
    resourcePatternType: LITERAL,
    principal: null,
    host: null,
    operation: ANY,
    permissionType: ANY
  }
  const answer = await cluster.ask((link) => ask(link, DescribeAcls, everything), signal)
  if (answer.errorCode === SECURITY_DISABLED) return undefined
  const fault = refusal(answer.errorCode, `ACLs of ${cluster.name}`, answer.errorMessage)
  if (fault !== undefined) throw fault
  return answer.resources.flatMap(({ resourceName: topic, acls }) =>
    acls.map(({ principal, host, operation, permissionType: permission }) => {
      return { topic, principal, host, operation, permission }
    })
  )
}

export async function createTopicAcls(
  cluster: Cluster,
  acls: readonly TopicAcl[],
  signal: AbortSignal
): Promise<void> {
  const creations = acls.map(({ topic, principal, host, operation, permission }) => ({
    resourceType: TOPIC,
    resourceName: topic,
    resourcePatternType: LITERAL,
    principal,
    host,
    operation,
    permissionType: permission
  }))
  const answer = await cluster.askController((link) => ask(link, CreateAcls, { creations }), signal)
  for (const { errorCode, errorMessage } of answer.creationResponses) {
    const fault = refusal(errorCode, `ACLs of ${cluster.name}`, errorMessage)
    if (fault !== undefined) throw fault
  }
}
