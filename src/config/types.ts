import type { Naming } from './naming.ts'
import type { RowsConfig } from './row-types.ts'
import type { RuleConfig } from './rules.ts'
import type { Secret } from './secret.ts'

export type { Naming } from './naming.ts'
export type { ColumnConfig, RegistryConfig, RowsConfig, ValuesConfig } from './row-types.ts'
export type { RuleConfig } from './rules.ts'

/**
 * The whole configuration, checked, with every default filled in, deeply frozen.
 *
 * Names are the file's in camelCase; durations end in `Ms` (milliseconds) and sizes in `Bytes`. Tables of named
 * instances (`[mirror.cloud]`) are records by name, and every name in them matches `[A-Za-z0-9._-]+`.
 */
export interface Config {
  /** Prefix of our consumer groups, transactional ids and own topics. */
  readonly name: string
  /** Absolute path. */
  readonly dataDir: string
  readonly memoryBudgetBytes: number
  readonly drainTimeoutMs: number
  readonly log: LogConfig
  readonly restart: RestartConfig
  readonly http: HttpConfig
  readonly clusters: Named<ClusterConfig>
  readonly ingest: Named<IngestConfig>
  readonly mirror: Named<MirrorConfig>
  readonly stores: Named<StoreConfig>
  readonly warehouses: Named<WarehouseConfig>
  readonly hdfsSinks: Named<HdfsSinkConfig>
  readonly s3Sinks: Named<SinkConfig>
  readonly redshiftLoaders: Named<RedshiftLoaderConfig>
}

export type Named<T> = Readonly<Record<string, T>>

export interface LogConfig {
  readonly level: LogLevel
  readonly format: LogFormat
}

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type LogLevel = (typeof logLevels)[number]

export const logFormats = ['json', 'pretty'] as const
export type LogFormat = (typeof logFormats)[number]

export interface RestartConfig {
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  /** More restarts than this within `windowMs` escalate the last fault and end the worker. */
  readonly restartsMax: number
  readonly windowMs: number
}

export interface HttpConfig {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** Asked of every request as `Authorization: Bearer …`; always present when `host` is not loopback. */
  readonly token?: Secret
}

export interface ClusterConfig {
  /** `host:port` each. */
  readonly brokers: readonly string[]
  /** Absent: no TLS. */
  readonly tls?: TlsConfig
  readonly sasl?: SaslConfig
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
}

/** Contents (PEM), read from the files that the config names. */
export interface TlsConfig {
  readonly ca?: string
  readonly cert?: string
  readonly key?: Secret
  readonly serverName?: string
}

export const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
export type SaslMechanism = (typeof saslMechanisms)[number]

export interface SaslConfig {
  readonly mechanism: SaslMechanism
  readonly username: string
  readonly password: Secret
}

export const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Compression = (typeof compressions)[number]

export interface IngestConfig {
  readonly cluster: string
  readonly topic: string
  readonly partitions: number
  readonly replication: number
  readonly compression: Compression
  readonly commitIntervalMs: number
  readonly batchBytes: number
  readonly transactionTimeoutMs: number
  /** How long the id of an event is remembered to drop its repeats. */
  readonly recentIdsMs: number
  readonly source: SourceConfig
}

export type SourceConfig = XSourceConfig | FileSourceConfig

/** X API v2 filtered stream. */
export interface XSourceConfig {
  readonly type: 'x'
  readonly keywords: readonly string[]
  readonly token: Secret
  /** Base URL without a trailing slash. */
  readonly url: string
  /** A whole number of minutes, at most 5; 0 asks for none. */
  readonly backfillMs: number
}

/** A file of newline-separated JSON events. */
export interface FileSourceConfig {
  readonly type: 'file'
  /** Absolute path. */
  readonly path: string
}

export interface MirrorConfig {
  readonly from: string
  readonly to: string
  /** Names or regular expressions, anchored at both ends: see `topicMatcher`. */
  readonly topics: readonly string[]
  readonly exclude: readonly string[]
  readonly naming: Naming
  /** Whose positions the first start goes on from. */
  readonly takeOver?: { readonly mm2: Mm2Config }
  /** Creates the topics and partitions that the target lacks. */
  readonly createTopics: boolean
  /** Keeps the configs of target topics like their sources'. */
  readonly syncConfigs: boolean
  /** Names or regular expressions, as `topics`, of topic configs that are left alone. */
  readonly configExclude: readonly string[]
  readonly syncAcls: boolean
  /** What is done with which topics: see `rulesFor`. */
  readonly rules: readonly RuleConfig[]
  readonly delivery: 'exactly-once' | 'at-least-once'
  readonly offsets: OffsetsConfig
  readonly commitIntervalMs: number
  readonly commitBytes: number
  readonly shards: number
  /** Threads that share the work. */
  readonly lanes: number
  /** Replication factor of topics that we create on the target. */
  readonly replication: number
  readonly refreshIntervalMs: number
  /** How long an open transaction may hold up a partition of the source before people are told. */
  readonly lsoStuckAfterMs: number
  readonly sessionTimeoutMs: number
  readonly transactionTimeoutMs: number
  readonly quarantineMinMs: number
  readonly quarantineMaxMs: number
}

/** What is done for consumers that change from the source to the target. */
export interface OffsetsConfig {
  /** Names or regular expressions, as `topics`, of the source's groups that are followed. */
  readonly groups: readonly string[]
  readonly groupsExclude: readonly string[]
  readonly emitCheckpoints: boolean
  /** Sets offsets of the target's groups that nobody reads with. */
  readonly syncGroupOffsets: boolean
  /** How often groups are asked, for both. */
  readonly checkpointIntervalMs: number
  readonly emitOffsetSyncs: boolean
  readonly emitHeartbeats: boolean
  readonly heartbeatIntervalMs: number
}

/** A MirrorMaker 2 in dedicated mode that copied between the same clusters. */
export interface Mm2Config {
  /** Its alias of the source. */
  readonly source: string
  readonly policy: 'default' | 'identity'
  /** Most tasks that it ever had; asked for only where the brokers do not list transactional ids. */
  readonly tasks: number
}

export type StoreConfig = HdfsStoreConfig | S3StoreConfig

export interface HdfsStoreConfig {
  readonly type: 'hdfs'
  /** WebHDFS base URLs without a trailing slash, for example `http://nn1:9870`. */
  readonly namenodes: readonly string[]
  /** Absolute HDFS directory under which everything of ours lies. */
  readonly path: string
  readonly user?: string
  /** Says who asks, in place of `user`. */
  readonly delegationToken?: Secret
}

export interface S3StoreConfig {
  readonly type: 's3'
  readonly bucket: string
  /** Without slashes at its ends; empty for the bucket's root. */
  readonly prefix: string
  readonly region: string
  readonly endpoint?: string
  readonly pathStyle: boolean
  /** Absent: the SDK's own credential chain. Always given together. */
  readonly accessKeyId?: Secret
  readonly secretAccessKey?: Secret
  /** Encryption that is asked for with each write; the bucket's default when absent. */
  readonly sse?: S3Encryption
  /** Only with `kms`; AWS' own key when absent. */
  readonly kmsKey?: string
  /** Of data files and dead letters. */
  readonly storageClass?: S3StorageClass
  /** Of data files and dead letters, by name. */
  readonly tags?: Readonly<Record<string, string>>
}

export const s3Encryptions = ['s3', 'kms'] as const
export type S3Encryption = (typeof s3Encryptions)[number]

/** Those that can be read at once: a COPY reads no archive. */
export const s3StorageClasses = [
  'STANDARD',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER_IR',
  'REDUCED_REDUNDANCY'
] as const
export type S3StorageClass = (typeof s3StorageClasses)[number]

export interface WarehouseConfig {
  readonly dialect: 'postgres'
  /** `postgres://user:password@host:port/database`. */
  readonly url: Secret
  readonly schema: string
}

export const parquetCodecs = ['none', 'snappy', 'gzip', 'zstd'] as const
export type ParquetCodec = (typeof parquetCodecs)[number]
export type TextCodec = Exclude<ParquetCodec, 'snappy'>

export const fileFormats = ['parquet', 'ndjson', 'text'] as const
/** How a data file is written. */
export type FileFormat =
  | { readonly type: 'parquet'; readonly codec: ParquetCodec }
  | { readonly type: 'ndjson' | 'text'; readonly codec: TextCodec }

export interface SinkConfig extends LayoutConfig, RowsConfig {
  readonly cluster: string
  /** Names or regular expressions, anchored at both ends: see `topicMatcher`. */
  readonly topics: readonly string[]
  readonly store: string
  readonly format: FileFormat
  readonly start: 'earliest' | 'latest'
  readonly shards: number
  readonly refreshIntervalMs: number
  readonly sessionTimeoutMs: number
  /** How long files stay, in whole days; absent: for ever. S3 only. */
  readonly ttlMs?: number
}

/** Where the files of a sink lie, how large they get, and what becomes of records that are no rows. */
export interface LayoutConfig {
  /** Directory of a data file, with `{topic}`, `{partition}`, `{date}`, `{hour}` and names of columns. */
  readonly template: string
  /** Undefined: the Kafka timestamp is a record's time. */
  readonly timeColumn: string | undefined
  readonly timeWindow: { readonly pastMs: number; readonly futureMs: number } | undefined
  readonly rotateBytes: number
  readonly rotateRecords: number
  readonly rotateAgeMs: number
  /** A chunk that is old but smaller waits for more, until `rotateAgeMaxMs`. */
  readonly rotateBytesMin: number
  readonly rotateAgeMaxMs: number
  /** Data files of one chunk, and of all chunks that are being built, at most. */
  readonly filesPerChunk: number
  readonly filesOpen: number
  /** More than `max` dead letters among so many consecutive records stop a partition. */
  readonly deadLetters: {
    readonly max: number
    readonly among: number
    /** Where they go as well, derived from the entries. */
    readonly topic: string | undefined
    /** Of the topics that we create for that. */
    readonly replication: number
  }
}

export interface HdfsSinkConfig extends SinkConfig {
  readonly hive?: HiveConfig
}

/** The external table over an HDFS sink's files. */
export interface HiveConfig {
  /** `hive2://host:port` of HiveServer2's Thrift service. */
  readonly url: string
  /** `plain`: SASL with user and password, Hive's NONE, LDAP and CUSTOM. */
  readonly auth: HiveAuth
  readonly user?: string
  readonly password?: Secret
  /** Absent: no TLS. */
  readonly tls?: Pick<TlsConfig, 'ca' | 'serverName'>
  readonly database: string
  readonly table: string
  /** What instants are in the table; `bigint`: milliseconds since 1970. */
  readonly timestamps: HiveTimestamps
  /** The file system as Hive names it, for example `hdfs://nameservice1`; Hive's own default when absent. */
  readonly fileSystem?: string
}

export const hiveAuths = ['plain', 'nosasl'] as const
export type HiveAuth = (typeof hiveAuths)[number]

export const hiveTimestamps = ['timestamp', 'bigint'] as const
export type HiveTimestamps = (typeof hiveTimestamps)[number]

export interface RedshiftLoaderConfig {
  /** Name of the `[s3_sink.…]` whose log is loaded (`from = "s3_sink.NAME"`). */
  readonly s3Sink: string
  readonly warehouse: string
  readonly table: string
  readonly pollIntervalMs: number
  readonly batchEntries: number
}
