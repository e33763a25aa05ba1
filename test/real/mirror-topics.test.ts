import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  type Kafka,
  ResourcePatternTypes
} from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Canaries } from '../support/canaries.ts'
import type { WorkerState } from '../support/worker-state.ts'
import { cleanups } from '../tools/cleanup.ts'
import { hasOpenssl } from '../tools/openssl.ts'
import { hasPython } from '../tools/python.ts'
import { hasKafka, newestKafka, oldestKafka, type RealKafka, startKafka } from './kafka.ts'
import { createTopics, expectSame, feed, kafkajs, MirrorProcess } from './kafka-mirror.ts'

const defer = cleanups()
const password = new Canaries().make('password')
const security = { users: { causeway: password, limited: password }, acl: true }
const superUsers = { 'super.users': 'User:ANONYMOUS;User:causeway' }
const MONTH_MS = 30 * 24 * 3_600_000

/** Real brokers that keep records for ever by default, and some that look for old ones each second. */
const isLeftOut = !hasKafka || !hasPython || !hasOpenssl
describe.skipIf(isLeftOut).each([newestKafka, oldestKafka])(
  'topics of a mirror on Apache Kafka %s',
  (version) => {
    let source: RealKafka
    let target: RealKafka
    let [ours, theirs]: (Admin | undefined)[] = []
    beforeAll(async () => {
      const forEver = { ...superUsers, 'log.retention.ms': '-1' }
      const soon = { 'log.retention.check.interval.ms': '1000', 'log.initial.task.delay.ms': '1000' }
      const strict = { ...superUsers, ...soon }
      ;[source, target] = await Promise.all([
        startKafka(forEver, { security, version }),
        startKafka(strict, { security, version })
      ])
      ;[ours, theirs] = [adminOf(source), adminOf(target)]
      await Promise.all([ours.connect(), theirs.connect()])
    })
    afterAll(async () => {
      await Promise.all([ours?.disconnect(), theirs?.disconnect()])
      await Promise.all([source?.stop(), target?.stop()])
    })

    /** What a mirror says of brokers before 3.6. */
    const unverified =
      'cluster aws is older than Kafka 3.6 and does not verify transactions: a batch that arrives late may leave a transaction open that nobody ends'
    const notVerifying = version === oldestKafka ? [unverified] : []
    const adminOf = (kafka: RealKafka) => kafkajs(kafka.direct).admin()
    const properties = (kafka: RealKafka) => ({ 'bootstrap.servers': kafka.direct.join() })
    const same = (topics: Record<string, number>) =>
      expectSame(properties(source), properties(target), topics)
    const fill = (topic: string, records = 400) => feed(properties(source), topic, { records })
    const four = (topic: string) =>
      createTopics(kafkajs(source.direct), [{ topic, numPartitions: 4, replicationFactor: 1 }])

    function start(mirrors: string, user?: string): MirrorProcess {
      const sasl = `sasl = { mechanism = "scram-sha-256", username = "${user}", password = "\${env:PASSWORD}" }`
      const section = (name: string, kafka: RealKafka) =>
        user === undefined
          ? `[cluster.${name}]\nbrokers = ${JSON.stringify(kafka.brokers)}\n`
          : `[cluster.${name}]\nbrokers = ["${kafka.node.secure?.sasl}"]\n${sasl}\n`
      const clusters = section('onprem', source) + section('aws', target)
      const mirror = MirrorProcess.start(`${clusters}${mirrors}`, { PASSWORD: password })
      defer(() => mirror.remove())
      return mirror
    }

    const copies = (name: string, more: string) =>
      `[mirror.${name}]\nfrom = "onprem"\nto = "aws"\nrefresh_interval = "1s"\nshards = 4\ntopics = ["${name}"]\n${more}\n`

    async function told(mirror: MirrorProcess, what: string, fits: (state: WorkerState) => boolean) {
      return mirror.worker.until(what, async () => {
        const state = await mirror.state()
        return state !== undefined && fits(state) ? state : undefined
      })
    }

    async function configsOf(admin: Admin | undefined, topic: string): Promise<Record<string, string>> {
      const described = await admin?.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: 2, name: topic }]
      })
      const own =
        described?.resources[0]?.configEntries.filter(({ configSource }) => Number(configSource) === 1) ?? []
      return Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue]))
    }

    test('they keep their names, get a prefix, or the names of a map', async () => {
      for (const topic of ['same', 'prefixed', 'mapped']) {
        await four(topic)
        await fill(topic)
      }
      const mirror = start(
        copies('same', 'naming = "identity"') +
          copies('prefixed', 'naming = { prefix = "onprem." }') +
          copies('mapped', 'naming = { map = { mapped = "other.name" } }')
      )
      await mirror.copied(kafkajs(source.direct), ['same', 'prefixed', 'mapped'])
      expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
      await same({ same: 400, 'prefixed=onprem.prefixed': 400, 'mapped=other.name': 400 })
    })

    test('one that grows grows on the target, and new ones are found, while records come', async () => {
      await four('grow-a')
      const mirror = start(copies('grow', 'naming = { prefix = "g." }').replace('["grow"]', '["grow-.*"]'))
      await told(mirror, 'the mirror runs', ({ unready }) => unready.length === 0)
      const feeding = feed(properties(source), 'grow-a', { records: 1_000, seconds: 6 })
      await ours?.createPartitions({ topicPartitions: [{ topic: 'grow-a', count: 8 }] })
      await four('grow-b')
      await Promise.all([feeding, fill('grow-b'), produceTo(kafkajs(source.direct), 'grow-a', [4, 5, 6, 7])])
      await told(mirror, 'all partitions are known', ({ roles }) => roles[0]?.partitions.length === 12)
      await mirror.copied(kafkajs(source.direct), ['grow-a', 'grow-b'])
      expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
      await expectSame(properties(source), properties(target), { 'grow-b=g.grow-b': 400 })
      const grown = await theirs?.fetchTopicMetadata({ topics: ['g.grow-a'] })
      expect(grown?.topics[0]?.partitions.length).toBe(8)
      await expectSame(properties(source), properties(target), { 'grow-a=g.grow-a': 1_004 }, 8)
    })

    test('records that the source keeps for ever survive on a target that would delete them at once', async () => {
      const topics = ['kept', 'doomed']
      const kafka = kafkajs(source.direct)
      const before = String(Date.now() - MONTH_MS)
      for (const topic of topics) {
        await createTopics(kafka, [{ topic, numPartitions: 1, replicationFactor: 1 }])
        await produceTo(kafka, topic, [0, 0, 0], before)
      }
      await createTopics(kafkajs(target.direct), [
        { topic: 'doomed', numPartitions: 1, replicationFactor: 1 }
      ])
      const mirror = start(copies('kept', '') + copies('doomed', 'sync_configs = false'))
      await mirror.copied(kafka, topics)
      // What shows that the target does delete: the copy that has its default retention.
      await mirror.worker.until('the target deletes old records', async () => {
        const [one] = (await theirs?.fetchTopicOffsets('doomed')) ?? []
        return Number(one?.low) >= 3 ? true : undefined
      })
      const [kept] = (await theirs?.fetchTopicOffsets('kept')) ?? []
      expect(kept?.low).toBe('0')
      expect(await configsOf(theirs, 'kept')).toMatchObject({ 'retention.ms': '-1' })
      expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
    })

    test('configs follow the source while it runs, but for those that are excluded', async () => {
      const configEntries = [
        { name: 'segment.ms', value: '600000' },
        { name: 'min.insync.replicas', value: '1' },
        { name: 'message.timestamp.type', value: 'LogAppendTime' },
        { name: 'flush.ms', value: '77777' }
      ]
      const topic = { topic: 'configured', numPartitions: 1, replicationFactor: 1 }
      await createTopics(kafkajs(source.direct), [{ ...topic, configEntries }])
      const there = [
        { name: 'compression.type', value: 'lz4' },
        { name: 'segment.bytes', value: '2000000' }
      ]
      await createTopics(kafkajs(target.direct), [{ ...topic, configEntries: there }])
      const mirror = start(
        copies(
          'configured',
          'config_exclude = ["min.insync.replicas", "message.timestamp.type", "flush\\\\..*", "compression.type"]'
        )
      )
      const state = await told(mirror, 'the mirror runs', ({ unready }) => unready.length === 0)
      expect(state.roles[0]?.notes).toEqual([
        ...notVerifying,
        'topic configured on aws recompresses to lz4, which costs its broker time'
      ])
      expect(await configsOf(theirs, 'configured')).toMatchObject({
        'segment.ms': '600000',
        'compression.type': 'lz4'
      })
      const synced = await configsOf(theirs, 'configured')
      expect(Object.keys(synced)).not.toContain('segment.bytes')
      expect(Object.keys(synced)).not.toContain('flush.ms')
      expect(synced['message.timestamp.type']).toBeUndefined()
      await ours?.alterConfigs({
        validateOnly: false,
        resources: [
          { type: 2, name: 'configured', configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }
        ]
      })
      await mirror.worker.until('the change is carried', async () => {
        const now = await configsOf(theirs, 'configured')
        return now['cleanup.policy'] === 'compact' && now['segment.ms'] === undefined ? true : undefined
      })
      expect(await configsOf(theirs, 'configured')).toMatchObject({ 'compression.type': 'lz4' })
      expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
    })

    test('a target that stamps records itself is told', async () => {
      await createTopics(kafkajs(source.direct), [
        { topic: 'stamped', numPartitions: 1, replicationFactor: 1 }
      ])
      const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }]
      await createTopics(kafkajs(target.direct), [
        { topic: 'stamped', numPartitions: 1, replicationFactor: 1, configEntries }
      ])
      const mirror = start(copies('stamped', ''))
      const state = await told(mirror, 'the mirror runs', ({ unready }) => unready.length === 0)
      expect(state.roles[0]?.notes).toEqual([
        ...notVerifying,
        'topic stamped on aws stamps records itself: their timestamps are not preserved'
      ])
    })

    test('who may read a topic may read its copy, and nobody may write to it', async () => {
      await four('guarded')
      const acl = (
        principal: string,
        operation: AclOperationTypes,
        permissionType = AclPermissionTypes.ALLOW
      ) => {
        return { ...named('guarded'), principal: `User:${principal}`, host: '*', operation, permissionType }
      }
      const { READ, WRITE, ALL } = AclOperationTypes
      const denied = acl('dora', READ, AclPermissionTypes.DENY)
      await ours?.createAcls({ acl: [acl('alice', READ), acl('bob', WRITE), acl('carol', ALL), denied] })
      const mirror = start(copies('guarded', 'sync_acls = true\nnaming = { prefix = "g." }'), 'causeway')
      await told(mirror, 'the mirror runs', ({ unready }) => unready.length === 0)
      const given = async () => {
        const described = await theirs?.describeAcls({
          ...named('g.guarded'),
          operation: AclOperationTypes.ANY,
          permissionType: AclPermissionTypes.ANY
        })
        const acls = described?.resources.flatMap((resource) => resource.acls) ?? []
        return acls.map((one) => `${one.principal} ${one.permissionType} ${one.operation}`).sort()
      }
      const wanted = ['User:alice 3 3', 'User:carol 3 3', 'User:dora 2 3']
      expect(await given()).toEqual(wanted)
      await ours?.createAcls({ acl: [acl('erik', READ)] })
      await mirror.worker.until('the new right is given, too', async () =>
        (await given()).length > wanted.length ? true : undefined
      )
      expect(await given()).toEqual([...wanted, 'User:erik 3 3'])
      expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
    })

    test('without a right, what lacks it says so, and the rest is copied', async () => {
      for (const topic of ['allowed', 'uncreatable', 'unwritable', 'unseen']) await four(topic)
      await fill('allowed')
      await fill('unwritable')
      for (const topic of ['allowed', 'unwritable']) {
        await createTopics(kafkajs(target.direct), [{ topic, numPartitions: 4, replicationFactor: 1 }])
      }
      const limited = { principal: 'User:limited', host: '*', permissionType: AclPermissionTypes.ALLOW }
      const { READ, WRITE, DESCRIBE, CREATE, DESCRIBE_CONFIGS, ALL } = AclOperationTypes
      const rights = (resource: object, ...operations: AclOperationTypes[]) =>
        operations.map((operation) => ({ ...limited, ...named(''), ...resource, operation }))
      const group = { resourceType: AclResourceTypes.GROUP, resourceName: 'real.mirror.limits' }
      const prefixed = {
        resourcePatternType: ResourcePatternTypes.PREFIXED,
        resourceName: 'real.mirror.limits'
      }
      const ids = { ...prefixed, resourceType: AclResourceTypes.TRANSACTIONAL_ID }
      await ours?.createAcls({
        acl: [
          ...rights(group, READ),
          ...['allowed', 'uncreatable', 'unwritable'].flatMap((resourceName) =>
            rights({ resourceName }, READ, DESCRIBE_CONFIGS)
          )
        ]
      })
      await theirs?.createAcls({
        acl: [
          ...rights(ids, ALL),
          ...rights(prefixed, CREATE, READ, WRITE, DESCRIBE),
          ...rights({ resourceName: 'allowed' }, WRITE, DESCRIBE, DESCRIBE_CONFIGS),
          ...rights({ resourceName: 'unwritable' }, DESCRIBE)
        ]
      })
      const topics = '["allowed", "uncreatable", "unwritable", "unseen"]'
      const mirror = start(copies('limits', '').replace('["limits"]', topics), 'limited')
      await mirror.copied(kafkajs(source.direct), ['allowed'])
      const reasonsOf = ({ roles }: WorkerState, topic: string) =>
        new Set(
          roles[0]?.partitions.flatMap((one) => (one.topic === topic ? [`${one.state}: ${one.reason}`] : []))
        )
      const state = await told(mirror, 'every partition has found its state', (seen) =>
        [...reasonsOf(seen, 'unwritable')].every((reason) => reason.startsWith('quarantined'))
      )
      expect([...reasonsOf(state, 'uncreatable')]).toEqual([
        expect.stringMatching(/^held: topic uncreatable .*topic authorization failed \(29\)/)
      ])
      for (const reason of reasonsOf(state, 'unwritable')) {
        expect(reason).toMatch(/^quarantined: partition unwritable-\d: topic authorization failed \(29\)$/)
      }
      expect(state.unready).not.toEqual([])
      expect(state.roles[0]?.notes).toEqual(
        expect.arrayContaining([
          'topic unseen on onprem: topic authorization failed (29)',
          expect.stringMatching(
            /^whether cluster aws verifies transactions cannot be told: .*authorization failed/
          ),
          expect.stringMatching(
            /^the config of topic unwritable on aws cannot be read: .*authorization failed/
          )
        ])
      )
      expect(await mirror.worker.stop(), mirror.worker.said()).toBe(0)
      await same({ allowed: 400 })
    })

    test('circles are refused at the start: through a second name of a cluster, and through another process', async () => {
      await four('round')
      const away = `[cluster.elsewhere]\nbrokers = ["localhost:${source.direct[0]?.split(':')[1]}"]\n`
      const back = copies('back', '').replace('"onprem"', '"aws"').replace('["back"]', '["round"]')
      const twice = start(`${away}${copies('round', '')}${back.replace('to = "aws"', 'to = "elsewhere"')}`)
      expect((await twice.worker.exited).code).toBe(2)
      expect(twice.worker.stderr).toMatch(
        /round on (onprem|aws) → round on (aws|elsewhere) \(real\.mirror\.(round|back)\) → round on/
      )

      const first = start(copies('round', ''))
      await told(first, 'the mirror runs', ({ unready }) => unready.length === 0)
      const second = start(back.replace('to = "aws"', 'to = "onprem"'))
      expect((await second.worker.exited).code).toBe(2)
      expect(second.worker.stderr).toContain('mirror-circle')
      expect(second.worker.stderr).toContain(
        'round on aws → round on onprem (real.mirror.back) → round on aws (real.mirror.round)'
      )
      expect(await first.worker.stop(), first.worker.said()).toBe(0)
    })
  }
)

/** What an ACL is about. */
function named(resourceName: string) {
  const resourcePatternType: ResourcePatternTypes = ResourcePatternTypes.LITERAL
  const resourceType: AclResourceTypes = AclResourceTypes.TOPIC
  return { resourceType, resourceName, resourcePatternType }
}

/** One record to each of these partitions. */
async function produceTo(
  kafka: Kafka,
  topic: string,
  partitions: readonly number[],
  timestamp = String(Date.now())
): Promise<void> {
  const producer = kafka.producer()
  await producer.connect()
  const messages = partitions.map((partition, n) => ({ key: `${n}`, value: `${n}`, partition, timestamp }))
  await producer.send({ topic, messages })
  await producer.disconnect()
}
