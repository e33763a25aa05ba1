import type {
  CreateOutcome,
  DataFile,
  FileStat,
  Leftover,
  LeftoverPrefixes,
  ListedFile,
  ListOptions,
  Preparation,
  PreparedFile,
  Store
} from '../../src/actors/store/store.ts'

export type Watcher = (method: string, path: string, when: 'before' | 'after') => void | Promise<void>

/** A store that tells of every call before it is made and after it was answered; what the watcher awaits, holds it up. */
export class WatchedStore implements Store {
  readonly uri: string
  readonly #store: Store
  readonly #watch: Watcher

  constructor(store: Store, watch: Watcher) {
    this.uri = store.uri
    this.#store = store
    this.#watch = watch
  }

  probe(signal: AbortSignal): Promise<void> {
    return this.#store.probe(signal)
  }

  read(path: string, signal: AbortSignal): Promise<Buffer | undefined> {
    return this.#watched('read', path, () => this.#store.read(path, signal))
  }

  create(path: string, content: Buffer, signal: AbortSignal): Promise<CreateOutcome> {
    return this.#watched('create', path, () => this.#store.create(path, content, signal))
  }

  replace(path: string, content: Buffer, signal: AbortSignal): Promise<void> {
    return this.#watched('replace', path, () => this.#store.replace(path, content, signal))
  }

  stat(path: string, signal: AbortSignal): Promise<FileStat | undefined> {
    return this.#watched('stat', path, () => this.#store.stat(path, signal))
  }

  list(prefix: string, options: ListOptions, signal: AbortSignal): AsyncIterable<ListedFile> {
    return this.#store.list(prefix, options, signal)
  }

  remove(path: string, signal: AbortSignal): Promise<void> {
    return this.#watched('remove', path, () => this.#store.remove(path, signal))
  }

  prepare(file: DataFile, signal: AbortSignal): Promise<Preparation> {
    return this.#watched('prepare', file.path, () => this.#store.prepare(file, signal))
  }

  publish(file: PreparedFile, signal: AbortSignal): Promise<void> {
    return this.#watched('publish', file.path, () => this.#store.publish(file, signal))
  }

  proveGone(file: PreparedFile, signal: AbortSignal): Promise<boolean> {
    return this.#watched('proveGone', file.path, () => this.#store.proveGone(file, signal))
  }

  leftovers(prefixes: LeftoverPrefixes, signal: AbortSignal): AsyncIterable<Leftover> {
    return this.#store.leftovers(prefixes, signal)
  }

  discard(preparation: Preparation, signal: AbortSignal): Promise<void> {
    return this.#watched('discard', '', () => this.#store.discard(preparation, signal))
  }

  async #watched<T>(method: string, path: string, call: () => Promise<T>): Promise<T> {
    await this.#watch(method, path, 'before')
    const answer = await call()
    await this.#watch(method, path, 'after')
    return answer
  }
}
