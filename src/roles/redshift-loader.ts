import type { Logger } from 'pino'
import { fromPromise, type SnapshotFrom } from 'xstate'
import type { ByteBudget } from '../actors/budget.ts'
import { postgresDialect } from '../actors/redshift/dialect.ts'
import { createLoading } from '../actors/redshift/loading.ts'
import { discoverChains, type FoundChain, surveyChain } from '../actors/redshift/log.ts'
import { S3Store } from '../actors/s3/store.ts'
import { inParallel } from '../actors/store/parallel.ts'
import type { Store } from '../actors/store/store.ts'
import type { Config, S3StoreConfig, SinkConfig } from '../config.ts'
import { Fault, toFault } from '../errors.ts'
import { type LoaderInput, loaderMachine, type SurveyInput } from '../machines/loader.ts'
import type { Chain, ChainStatus, Finding } from '../machines/loader-chains.ts'
import { type ColumnSpec, tweetColumns } from '../records/tweet.ts'
import type { PartitionView, Role, RoleContext, RoleView } from './role.ts'

/**
 * The redshift-loader: the commit log of an S3 sink → a table of a warehouse.
 *
 *     s3://…/log/v1/<sink>/…/<from>.json ─survey─▶ entries ─▶ Parquet files ─COPY─▶ table
 *                                                                         └─same transaction─▶ causeway_positions
 *
 * A position moves in the transaction that writes its rows, and is read back from the warehouse after any doubt: every
 * row of the log is in the table exactly once. Offsets that can no longer be loaded hold their chain in `data-loss`.
 */
export function createRedshiftLoader(context: RoleContext, instance: string): Role {
  const { loader, sink, store, warehouse } = sectionsOf(context.config, instance)
  const columns = columnsOf(sink)
  const logic = bindLoader({
    store: s3StoreOf(store),
    sink: `${context.config.name}.${loader.s3Sink}`,
    columns,
    warehouse: { ...warehouse, name: loader.warehouse, url: warehouse.url.reveal(), table: loader.table },
    budget: context.budget,
    log: context.log
  })
  const input: LoaderInput = {
    pollIntervalMs: loader.pollIntervalMs,
    batchEntries: loader.batchEntries,
    surveysPerDiscovery: SURVEYS_PER_DISCOVERY
  }
  return {
    role: 'redshift-loader',
    instance,
    logic,
    input,
    describe: (snapshot) => describeLoader(snapshot as LoaderSnapshot) // The supervisor gives back what `logic` made.
  }
}

export interface LoaderBinding {
  readonly store: Store
  /** `<config name>.<instance>` of the sink. */
  readonly sink: string
  /** What the table is created with. */
  readonly columns: readonly ColumnSpec[]
  readonly warehouse: {
    readonly name: string
    readonly url: string
    readonly schema: string
    readonly table: string
  }
  readonly budget: ByteBudget
  readonly log: Pick<Logger, 'debug' | 'warn' | 'error'>
}

const SURVEYS_PER_DISCOVERY = 5

/** Chains whose log is read at once. */
const SURVEY_PARALLEL = 8

/** The machine with its actors. */
export function bindLoader({ store, sink, columns, warehouse, budget, log }: LoaderBinding) {
  const { name, url, schema, table } = warehouse
  const dialect = postgresDialect(schema, table, columns)
  const requiredColumns = columns.map((column) => column.name)
  const lossesTold = new Set<string>()
  const tell = (finding: Finding) => {
    const { chain, next } = finding
    if (next.type !== 'lost' && next.type !== 'unreadable') return
    const what = next.type === 'lost' ? `offsets [${next.from}, ${next.to}) are lost` : next.reason
    if (!lossesTold.has(chain + what)) log.error({ chain }, what)
    lossesTold.add(chain + what)
  }
  const told = <T>(work: Promise<T>, signal: AbortSignal) =>
    work.catch((error: unknown) => {
      const { code, message } = toFault(error)
      if (!signal.aborted) log.warn({ code }, `the log cannot be read: ${message}`)
      throw error
    })
  return loaderMachine.provide({
    actors: {
      session: createLoading({ store, budget, log, session: { url, name, dialect, requiredColumns } }),
      discover: fromPromise<readonly FoundChain[]>(({ signal }) =>
        told(discoverChains(store, sink, signal), signal)
      ),
      survey: fromPromise<readonly Finding[], SurveyInput>(async ({ input, signal }) => {
        const findings = await told(
          inParallel(input, SURVEY_PARALLEL, (chain) => findingOf(store, chain, signal)),
          signal
        )
        findings.forEach(tell)
        return findings
      })
    }
  })
}

async function findingOf(store: Store, chain: SurveyInput[number], signal: AbortSignal): Promise<Finding> {
  const { chain: name, position } = chain
  try {
    return { chain: name, position, ...(await surveyChain(store, chain, signal)) }
  } catch (error) {
    // What is no log stops its own chain; everything else concerns the store and so all chains.
    if (!(error instanceof Fault) || error.code !== 'log-corrupt') throw error
    return {
      chain: name,
      position,
      entries: [],
      end: position,
      next: { type: 'unreadable', reason: error.message }
    }
  }
}

type LoaderSnapshot = SnapshotFrom<typeof loaderMachine>

/** What a snapshot says to people. */
export function describeLoader(snapshot: LoaderSnapshot): RoleView {
  const { chains, counters, fault, flow } = snapshot.context
  const shown = onePerPartition(chains)
  const troubles = chains.flatMap(({ chain, status }) =>
    status.type === 'held' || status.type === 'data-loss' ? [`${chain}: ${reasonOf(status)}`] : []
  )
  const isRestored =
    chains.length > 0
      ? chains.every(({ position }) => position !== undefined)
      : snapshot.matches({ working: 'idle' })
  const isWorking = snapshot.matches('working') && !snapshot.matches({ working: 'connecting' })
  return {
    state:
      typeof snapshot.value === 'string' ? snapshot.value : Object.entries(snapshot.value).flat().join('.'),
    ready: isWorking && isRestored && troubles.length === 0,
    flow,
    partitions: shown.map(partitionView),
    counters: { ...counters },
    notes: [...(fault === undefined ? [] : [`${fault.code}: ${fault.message}`]), ...troubles]
  }
}

const SEVERITY: readonly ChainStatus['type'][] = ['data-loss', 'held', 'waiting', 'following', 'closed']

/** A partition has a chain per generation and per incarnation of its topic: the one in most trouble is shown, or the last. */
function onePerPartition(chains: readonly Chain[]): readonly Chain[] {
  const shown = new Map<string, Chain>()
  for (const chain of chains) {
    const key = `${chain.id.topic}\0${chain.id.partition}`
    const other = shown.get(key)
    if (other === undefined || rank(chain) <= rank(other)) shown.set(key, chain)
  }
  return [...shown.values()]
}

function rank({ status, id }: Chain): number {
  return SEVERITY.indexOf(status.type) - id.generation / Number.MAX_SAFE_INTEGER
}

function partitionView({ id, status, position, start, end }: Chain): PartitionView {
  const reason = reasonOf(status)
  return {
    topic: id.topic,
    partition: id.partition,
    state: status.type,
    position: position ?? start,
    end,
    ...(reason === undefined ? {} : { reason })
  }
}

function reasonOf(status: ChainStatus): string | undefined {
  if (status.type === 'waiting' || status.type === 'held') return status.reason
  return status.type === 'data-loss'
    ? `offsets [${status.from}, ${status.to}) are lost: ${status.reason}`
    : undefined
}

function sectionsOf(config: Config, instance: string) {
  const loader = config.redshiftLoaders[instance]
  const sink = loader && config.s3Sinks[loader.s3Sink]
  const store = sink && config.stores[sink.store]
  const warehouse = loader && config.warehouses[loader.warehouse]
  if (!loader || !sink || !warehouse || store?.type !== 's3') {
    throw new Fault(
      'config-invalid',
      `[redshift_loader.${instance}] names a sink or warehouse that the config has not`
    )
  }
  return { loader, sink, store, warehouse }
}

/** Where a row came from, in Kafka's terms; the sink's files have these columns when `lineage` is on. */
export const lineageColumns: readonly ColumnSpec[] = [
  { name: '_topic', type: 'string', nullable: false },
  { name: '_partition', type: 'int32', nullable: false },
  { name: '_offset', type: 'int64', nullable: false },
  { name: '_timestamp', type: 'timestamp', nullable: true }
]

function columnsOf({ lineage }: SinkConfig): readonly ColumnSpec[] {
  return lineage ? [...tweetColumns, ...lineageColumns] : tweetColumns
}

function s3StoreOf({ accessKeyId, secretAccessKey, ...options }: S3StoreConfig): Store {
  const credentials =
    accessKeyId && secretAccessKey
      ? { accessKeyId: accessKeyId.reveal(), secretAccessKey: secretAccessKey.reveal() }
      : undefined
  return new S3Store({ ...options, credentials })
}
