import type {
  DataFile,
  ListedFile,
  Preparation,
  PreparedFile,
  Store
} from '../../../src/actors/store/store.ts'
import type { FaultAction } from '../../../src/embedded/faults.ts'
import type { StoreUnderTest } from '../store.ts'

/** Adds a test of a property to a group, unless the store is known to lack it. */
export type Property = (title: string, run: (bench: StoreBench) => Promise<void>) => void

/** The store under test, and what tests do again and again with it. */
export class StoreBench {
  readonly under: StoreUnderTest
  readonly store: Store
  readonly other: Store
  readonly signal = new AbortController().signal
  #count = 0

  constructor(under: StoreUnderTest) {
    this.under = under
    this.store = under.store
    this.other = under.other
  }

  /** A path that no other test has used. */
  fresh(suffix = 'file.json'): string {
    return `t/${++this.#count}/${suffix}`
  }

  async text(path: string, store = this.store): Promise<string | undefined> {
    return (await store.read(path, this.signal))?.toString()
  }

  async list(prefix: string, startAfter?: string): Promise<ListedFile[]> {
    const found: ListedFile[] = []
    const options = startAfter === undefined ? {} : { startAfter }
    for await (const file of this.store.list(prefix, options, this.signal)) found.push(file)
    return found
  }

  async prepared(file: DataFile): Promise<PreparedFile> {
    const { path, bytes, entryId } = file
    return { path, bytes, entryId, preparation: overTheLog(await this.store.prepare(file, this.signal)) }
  }

  /** A small file that is prepared. */
  async small(): Promise<PreparedFile> {
    return await this.prepared(fileOf(this.fresh('f.parquet'), [Buffer.from('abc')]))
  }

  inject(step: 'create' | 'prepare' | 'publish', action: FaultAction, times = 1): void {
    this.under.faults.add({ subject: this.under.subjects[step], action, times })
  }
}

export function fileOf(path: string, parts: readonly Buffer[], entryId = `chain/0-${path.length}`): DataFile {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0)
  return { path, parts, bytes, entryId }
}

/** As another process reads it from the entry. */
function overTheLog(preparation: Preparation): Preparation {
  return JSON.parse(JSON.stringify(preparation)) as Preparation
}
