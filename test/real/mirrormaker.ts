import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Service, startService } from '../tools/service.ts'
import { javaArgs } from './kafka/libraries.ts'
import { hasMaven, jarsOf } from './maven.ts'

/** Whether MirrorMaker 2 can be had here. */
export const hasMirrorMaker = hasMaven

/** The folder with its jars, those that the benchmark compares with, fetched when it is not in the cache. */
export function mirrorMakerLibraries(): Promise<string> {
  return jarsOf('mirrormaker', join(import.meta.dirname, '../../bench/mirror/mm2/pom.xml'))
}

export interface Mm2Options {
  /** Bootstrap addresses of the cluster that it calls A. */
  readonly source: readonly string[]
  /** Of the one that it calls B. */
  readonly target: readonly string[]
  readonly topics: string
  /** Properties that come last. */
  readonly more?: Readonly<Record<string, string>>
}

/** Starts a dedicated MirrorMaker 2 from A to B, exactly once, that polls a few records at a time. */
export async function startMirrorMaker(options: Mm2Options): Promise<Service> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-mm2-'))
  const file = join(directory, 'mm2.properties')
  const lines = Object.entries(propertiesOf(options)).map(([key, value]) => `${key} = ${value}\n`)
  writeFileSync(file, lines.join(''))
  const level = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
  const args = [level, ...javaArgs(await mirrorMakerLibraries())]
  const service = await startService({
    name: 'MirrorMaker 2',
    command: 'java',
    args: [...args, 'org.apache.kafka.connect.mirror.MirrorMaker', file],
    // Only what it copies tells that it runs.
    ready: () => true
  })
  const remove = () => rmSync(directory, { recursive: true, force: true })
  return {
    ...service,
    stop: () => service.stop().finally(remove),
    kill: () => service.kill().finally(remove)
  }
}

const REPLICATED = ['', 'offset-syncs.topic.', 'config.storage.', 'offset.storage.', 'status.storage.']

function propertiesOf({ source, target, topics, more }: Mm2Options): Record<string, string> {
  return {
    clusters: 'A, B',
    'A.bootstrap.servers': source.join(),
    'B.bootstrap.servers': target.join(),
    'A->B.enabled': 'true',
    'A->B.topics': topics,
    'B->A.enabled': 'false',
    'tasks.max': '2',
    'emit.heartbeats.enabled': 'false',
    'emit.checkpoints.enabled': 'false',
    'sync.topic.acls.enabled': 'false',
    ...Object.fromEntries(REPLICATED.map((what) => [`${what}replication.factor`, '1'])),
    'A.consumer.isolation.level': 'read_committed',
    'A.consumer.max.poll.records': '7',
    'B.exactly.once.source.support': 'enabled',
    ...more
  }
}
