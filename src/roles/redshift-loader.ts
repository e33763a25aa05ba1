import { fromPromise, type SnapshotFrom } from 'xstate'
import { postgresDialect } from '../actors/redshift/dialect.ts'
import { createLoading } from '../actors/redshift/loading.ts'
import { surveyChain } from '../actors/redshift/log.ts'
import { sinkColumns } from '../actors/rows/open.ts'
import { discoverChains, type FoundChain } from '../actors/store/discover.ts'
import { openStore } from '../actors/store/open.ts'
import { inParallel } from '../actors/store/parallel.ts'
import type { Store } from '../actors/store/store.ts'
import type { Config } from '../config.ts'
import { Fault } from '../errors.ts'
import { type LoaderInput, loaderMachine, type SurveyInput } from '../machines/loader.ts'
import type { Finding } from '../machines/loader-chains.ts'
import { describeLoader } from './redshift-loader-view.ts'
import type { Role, RoleContext } from './role.ts'

/** Listing the chains costs more than reading the next entry, and new chains are rare. */
const SURVEYS_PER_DISCOVERY = 5
/** Chains whose log is read at once. */
const SURVEY_PARALLEL = 8

/**
 * The redshift-loader: the commit log of an S3 sink → a table of a warehouse.
 *
 *     discover  the chains below log/v1/<sink>/, and their positions in the warehouse
 *     survey    each chain's next entries; those whose files are published may be loaded
 *     session   one transaction per batch of entries: lock the chain's row in causeway_positions, require that it says
 *               where the batch begins, COPY the rows of its Parquet files, set it to where the batch ends
 *
 * The position moves only in the transaction that writes the rows, and is read back from the warehouse after any doubt.
 * Offsets that can no longer be loaded hold their chain in `data-loss`; they are never skipped.
 */
export function createRedshiftLoader(context: RoleContext, instance: string): Role {
  const { budget, config, log } = context
  const { loader, sinkConfig, storeConfig, warehouse } = sectionsOf(config, instance)
  const store = openStore(storeConfig)
  const sink = `${config.name}.${loader.s3Sink}`
  const columns = sinkColumns(sinkConfig)
  const session = {
    url: warehouse.url.reveal(),
    name: loader.warehouse,
    dialect: postgresDialect(warehouse.schema, loader.table, columns),
    requiredColumns: columns.map(({ name }) => name)
  }
  const tell = onlyOnce((chain, loss) => log.error({ chain }, loss))
  const logic = loaderMachine.provide({
    actors: {
      session: createLoading({ store, budget, session }),
      discover: fromPromise<readonly FoundChain[]>(({ signal }) => discoverChains(store, sink, signal)),
      survey: fromPromise<readonly Finding[], SurveyInput>(async ({ input, signal }) => {
        const findings = await inParallel(input, SURVEY_PARALLEL, (chain) => findingOf(store, chain, signal))
        for (const { chain, next } of findings) {
          if (next.type === 'lost') tell(chain, `offsets [${next.from}, ${next.to}) are lost`)
          if (next.type === 'unreadable') tell(chain, next.reason)
        }
        return findings
      })
    },
    actions: {
      logFault: (_, { code, message }) => log.warn({ code }, message)
    }
  })
  const { pollIntervalMs, batchEntries } = loader
  const input: LoaderInput = { pollIntervalMs, batchEntries, surveysPerDiscovery: SURVEYS_PER_DISCOVERY }
  return {
    role: 'redshift-loader',
    instance,
    logic,
    input,
    // The supervisor gives back what `logic` made.
    describe: (snapshot) => describeLoader(snapshot as SnapshotFrom<typeof loaderMachine>)
  }
}

async function findingOf(store: Store, chain: SurveyInput[number], signal: AbortSignal): Promise<Finding> {
  const { chain: name, position } = chain
  try {
    return { chain: name, position, ...(await surveyChain(store, chain, signal)) }
  } catch (error) {
    // What is no log stops its own chain; everything else concerns the store and so all chains.
    if (!(error instanceof Fault) || error.code !== 'log-corrupt') throw error
    const next = { type: 'unreadable', reason: error.message } as const
    return { chain: name, position, entries: [], end: position, next }
  }
}

/** A loss is found again at every discovery, and logged when it is new. */
function onlyOnce(log: (chain: string, loss: string) => void): typeof log {
  const told = new Set<string>()
  return (chain, loss) => {
    const key = `${chain} ${loss}`
    if (!told.has(key)) log(chain, loss)
    told.add(key)
  }
}

function sectionsOf(config: Config, instance: string) {
  const loader = config.redshiftLoaders[instance]
  const sinkConfig = loader && config.s3Sinks[loader.s3Sink]
  const storeConfig = sinkConfig && config.stores[sinkConfig.store]
  const warehouse = loader && config.warehouses[loader.warehouse]
  if (loader && sinkConfig && storeConfig && warehouse) return { loader, sinkConfig, storeConfig, warehouse }
  const what = `[redshift_loader.${instance}] names a sink, store or warehouse that the config has not`
  throw new Fault('config-invalid', what)
}
