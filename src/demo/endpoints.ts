/**
 * Where everything of a running demo is, and with which credentials: the content of `<data-dir>/endpoints.json`, so that
 * anyone's client can look inside. The file is readable by its owner only.
 */
export interface Endpoints {
  /** The page, metrics and health of the worker. */
  readonly http: { readonly url: string }
  readonly source: KafkaEndpoint
  readonly target: KafkaEndpoint
  /** On the source cluster. */
  readonly deadLetters: { readonly topic: string }
  readonly hdfs: {
    /** WebHDFS. */
    readonly url: string
    readonly user: string
    /** Absolute directory of the published files. */
    readonly data: string
  }
  readonly s3: {
    readonly endpoint: string
    readonly region: string
    readonly bucket: string
    /** Key prefix of the published files. */
    readonly data: string
    readonly accessKeyId: string
    readonly secretAccessKey: string
  }
  readonly warehouse: { readonly url: string; readonly schema: string; readonly table: string }
  /** Absent with `--input`. */
  readonly eventStream?: { readonly url: string; readonly token: string }
}

export interface KafkaEndpoint {
  readonly brokers: readonly string[]
  readonly topic: string
}
