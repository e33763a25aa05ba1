import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached } from '../tools/cache.ts'
import { toolMissing } from '../tools/require.ts'
import { runOk } from '../tools/run.ts'
import { freePorts, startService } from '../tools/service.ts'

const pom = join(import.meta.dirname, 'kafka', 'pom.xml')

/** Whether Apache Kafka can be had here: Java to run it and Maven to fetch it. */
export const hasKafka = works('java', '-version') && works('mvn', '--version')

export interface RealKafka {
  readonly brokers: readonly string[]
  readonly pid: number
  /** Ends the broker by its own process id and removes its files. */
  stop(): Promise<void>
}

/** Starts a single-node Apache Kafka 4.1.1 (KRaft) on free loopback ports in a temporary directory. */
export async function startKafka(settings: Readonly<Record<string, string>> = {}): Promise<RealKafka> {
  const libraries = await kafkaLibraries()
  const directory = mkdtempSync(join(tmpdir(), 'causeway-kafka-'))
  const [port = -1, controllerPort = -1] = await freePorts(2)
  const file = join(directory, 'server.properties')
  writeFileSync(file, properties({ directory, port, controllerPort, settings }))
  const java = ['-cp', `${libraries}/*`, '-Xmx512m', '-Xms128m']
  await runOk('java', [
    ...java,
    'kafka.tools.StorageTool',
    'format',
    '-t',
    randomBytes(16).toString('base64url'),
    '-c',
    file
  ])
  const service = await startService({
    name: 'Kafka',
    command: 'java',
    args: [...java, 'kafka.Kafka', file],
    ready: (printed) => printed.includes('Kafka Server started')
  })
  const stop = async () => {
    await service.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  return { brokers: [`127.0.0.1:${port}`], pid: service.pid, stop }
}

/** The folder with Kafka's jars, fetched when it is not in the cache. */
export function kafkaLibraries(): Promise<string> {
  return cached('kafka', readFileSync(pom, 'utf8'), async (directory) => {
    await runOk('mvn', [
      '--batch-mode',
      '--quiet',
      '--file',
      pom,
      'dependency:copy-dependencies',
      `-DoutputDirectory=${directory}`
    ])
  })
}

interface Properties {
  readonly directory: string
  readonly port: number
  readonly controllerPort: number
  readonly settings: Readonly<Record<string, string>>
}

function properties({ directory, port, controllerPort, settings }: Properties): string {
  const all: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(directory, 'logs'),
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    ...settings
  }
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function works(command: string, argument: string): boolean {
  return spawnSync(command, [argument], { stdio: 'ignore' }).status === 0 || toolMissing(command)
}
