import type { RunResult } from '../../tools/run.ts'

/** What a WebHDFS service brings to the suite: a pair of NameNodes, run by `root`, whose directories list in pages of 50. */
export interface Subject {
  /** `http://host:port` of the NameNode that is active. */
  readonly nameNode: string
  /** Of the one in standby. */
  readonly standby: string
  /** Runs `hdfs dfs` of Hadoop; the pair is `webhdfs://pair`. */
  readonly dfs: (args: readonly string[], user?: string) => Promise<RunResult>
  readonly setSafeMode: (on: boolean) => Promise<void>
  readonly setActive: (which: 'first' | 'second') => Promise<void>
}

export const LISTING_MAX = 50
export const SUPERUSER = 'root'
export const GROUPS: Readonly<Record<string, readonly string[]>> = { alice: ['people'], bob: ['people'] }
