import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Logger } from 'pino'
import type { Cluster } from '../actors/kafka/cluster.ts'
import type { Claim } from '../actors/mirror/position-records.ts'
import type { MirrorConfig } from '../config.ts'
import { exitCodes, Fault } from '../errors.ts'
import type { CommandContext } from './program.ts'

/** The options of every command about a mirror. */
export interface MirrorOptions {
  readonly config: string
  readonly mirror: string
}

export function withMirrorOptions(command: Command): Command {
  return command
    .requiredOption('--config <file>', 'the TOML config file')
    .requiredOption('--mirror <name>', 'NAME of its [mirror.NAME]')
}

/** A mirror of a config, its clusters, and where its positions are. */
export interface MirrorPlace extends NamedMirror {
  readonly source: Cluster
  readonly target: Cluster
  readonly prefix: string
  readonly positionsTopic: string
  /** How many reshards lie behind it. */
  readonly generation: number
  /** Partitions of the topic, 0 when it does not exist. */
  readonly partitions: number
  readonly claim: Claim
  readonly log: Logger
  readonly now: () => number
}

/** Connects to both clusters and finds out where the positions are. */
export type OpenMirror = (signal: AbortSignal) => Promise<MirrorPlace>

/** What a command does with its mirror. What can be told from the config alone is to be told before it is opened. */
export type MirrorAction = (mirror: NamedMirror, open: OpenMirror, signal: AbortSignal) => Promise<string>

export interface NamedMirror extends MirrorConfig {
  readonly name: string
}

/** Runs a command on a mirror; SIGTERM and SIGINT end it. What it resolves with is told, and the exit code is 0. */
export function runOnMirror(
  { config: file, mirror: name }: MirrorOptions,
  context: CommandContext,
  action: MirrorAction
): Promise<void> {
  return context.run(async () => {
    const [{ loadConfig }, { createLogger }, { Clusters }] = await Promise.all([
      import('../config.ts'),
      import('../log.ts'),
      import('../worker/clusters.ts')
    ])
    const config = loadConfig(resolve(context.cwd, file), context.env)
    const mirror = config.mirror[name]
    if (mirror === undefined) throw new Fault('arguments-invalid', `the config has no [mirror.${name}]`)
    const log = createLogger({ ...config.log, level: 'warn' })
    const clusters = new Clusters(config, log)
    const ending = new AbortController()
    const ignore = context.onSignal((signal) =>
      ending.abort(new Fault('interrupted', `ended by ${signal}; run it again`))
    )
    const open: OpenMirror = async (signal) => {
      const [source, target] = [clusters.get(mirror.from), clusters.get(mirror.to)]
      const found = await placeOf({ owner: config.name, name, mirror, source, target }, signal)
      return { ...mirror, ...found, name, source, target, log, now: Date.now }
    }
    try {
      context.out(await action({ ...mirror, name }, open, ending.signal))
      return exitCodes.done
    } finally {
      ignore()
      clusters.close()
    }
  })
}

interface Opened extends Pick<MirrorPlace, 'name' | 'source' | 'target'> {
  readonly owner: string
  readonly mirror: MirrorConfig
}

async function placeOf({ owner, name, mirror, source, target }: Opened, signal: AbortSignal) {
  const [{ currentTopic, mirrorPrefix }, { claimOf }] = await Promise.all([
    import('../actors/mirror/current-topic.ts'),
    import('../actors/mirror/position-records.ts')
  ])
  const prefix = mirrorPrefix(owner, name)
  const [from, to] = await Promise.all([source.metadata(signal, []), target.metadata(signal, [])])
  const { topic: positionsTopic, ...rest } = await currentTopic(target, prefix, signal)
  const claim = claimOf(mirror, { source: from.clusterId, target: to.clusterId })
  return { ...rest, prefix, positionsTopic, claim }
}

/** Throws unless the position topic has the shards of the config. */
export function demandShards({ positionsTopic, partitions, shards }: MirrorPlace): void {
  if (partitions === shards) return
  if (partitions === 0)
    throw new Fault('mirror-not-started', `${positionsTopic} does not exist: the mirror never ran`)
  throw new Fault(
    'claim-mismatch',
    `${positionsTopic} has ${partitions} shards, the config asks for ${shards}`
  )
}
