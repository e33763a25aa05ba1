import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { Fault } from '../errors.ts'

/** No file: its number may be another's by now. */
const CLOSED = -1

/**
 * The durable state of an embedded service: JSON lines that are appended before anything is acknowledged and replayed
 * at start. Calls are synchronous, so that one entry is one atomic step of the service.
 *
 * What `append` returned from survives the death of the process (`kill -9`), because the bytes are the kernel's by
 * then; it is not forced to the disk, so a power cut may take the newest entries. A torn last line is cut off at start.
 */
export class Journal<Entry> {
  readonly #path: string
  #file: number
  #bytes: number
  #entries: number

  /** Opens or creates the journal at `path` and passes each entry of earlier lives to `replay`, oldest first. */
  constructor(path: string, replay: (entry: Entry) => void) {
    this.#path = path
    rmSync(`${path}.new`, { force: true })
    const content = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
    this.#bytes = 0
    this.#entries = 0
    for (let end = content.indexOf(10); end >= 0; end = content.indexOf(10, this.#bytes)) {
      replay(parse<Entry>(content.toString('utf8', this.#bytes, end), path))
      this.#bytes = end + 1
      this.#entries++
    }
    this.#file = openSync(path, existsSync(path) ? 'r+' : 'w+')
    if (fstatSync(this.#file).size > this.#bytes) ftruncateSync(this.#file, this.#bytes)
  }

  /** How many entries a restart would replay now. */
  get entries(): number {
    return this.#entries
  }

  /** Makes an entry durable. A full disk throws (`ENOSPC`) and leaves the journal as it was. */
  append(entry: Entry): void {
    if (this.#file === CLOSED) throw new Fault('journal-closed', `${this.#path} is closed`)
    const line = Buffer.from(`${JSON.stringify(entry)}\n`)
    try {
      for (let done = 0; done < line.length; ) {
        done += writeSync(this.#file, line, done, line.length - done, this.#bytes + done)
      }
    } catch (error) {
      ftruncateSync(this.#file, this.#bytes)
      throw error
    }
    this.#bytes += line.length
    this.#entries++
  }

  /** Replaces the history by an equivalent, shorter one, all or nothing. */
  compact(entries: readonly Entry[]): void {
    const content = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
    writeFileSync(`${this.#path}.new`, content)
    const file = openSync(`${this.#path}.new`, 'r+')
    renameSync(`${this.#path}.new`, this.#path)
    closeSync(this.#file)
    this.#file = file
    this.#bytes = content.length
    this.#entries = entries.length
  }

  /** Later appends throw. */
  /** Forces what was appended to the disk, so that it outlives the machine, too. */
  sync(): void {
    fdatasyncSync(this.#file)
  }

  close(): void {
    closeSync(this.#file)
    this.#file = CLOSED
  }
}

function parse<Entry>(line: string, path: string): Entry {
  try {
    return JSON.parse(line) as Entry
  } catch (cause) {
    throw new Fault('journal-corrupt', `${path} has a whole line that is not JSON`, { cause })
  }
}
