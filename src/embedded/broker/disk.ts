import { fdatasyncSync, ftruncateSync, writeSync } from 'node:fs'
import type { Journal } from '../journal.ts'

/**
 * Where all writes of one broker go. Writes are synchronous, straight to the file descriptor: what was acknowledged
 * outlives the process. `fsync` makes it outlive the machine, too.
 */
export class Disk {
  /** While true every write fails half-way as on a full disk (the `disk-full` fault). */
  full = false
  #closed = false
  readonly #fsync: boolean

  constructor(options: { readonly fsync: boolean }) {
    this.#fsync = options.fsync
  }

  /** Refuses all later writes: file descriptors of a closed broker may already name somebody else's files. */
  close(): void {
    this.#closed = true
  }

  /** Writes all of `bytes` at `position`, which must be the file's end; on failure the file is as it was. */
  write(file: number, bytes: Buffer, position: number): void {
    this.#admit()
    let done = 0
    try {
      const length = this.full ? bytes.length >> 1 : bytes.length
      while (done < length) done += writeSync(file, bytes, done, length - done, position + done)
      if (this.full) throw noSpace()
      if (this.#fsync) fdatasyncSync(file)
    } catch (error) {
      ftruncateSync(file, position)
      throw error
    }
  }

  append<Entry>(journal: Journal<Entry>, entry: Entry): void {
    this.#admit()
    if (this.full) throw noSpace()
    journal.append(entry)
    if (this.#fsync) journal.sync()
  }

  #admit(): void {
    if (this.#closed) throw Object.assign(new Error('the broker is stopped'), { syscall: 'write' })
  }
}

function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
    syscall: 'write'
  })
}
