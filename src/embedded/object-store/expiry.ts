import type { Disk, StoredObject, Tags } from './disk.ts'

/** A rule of a bucket's lifecycle, as far as this store acts on it (S3 user guide, "lifecycle configuration elements"). */
export interface LifecycleRule {
  readonly id: string
  readonly status: 'Enabled' | 'Disabled'
  readonly filter: LifecycleFilter
  readonly expiration?: Expiration | undefined
  readonly abortUploadsAfterDays?: number | undefined
}

export interface LifecycleFilter {
  readonly prefix: string
  /** All of them; another tag does no harm. */
  readonly tags: Tags
  /** Exclusive, in bytes. */
  readonly largerThan?: number | undefined
  readonly smallerThan?: number | undefined
}

/** `days` after the object's last change, or from a midnight on whatever the object's age. */
export type Expiration = { readonly days: number } | { readonly atMs: number }

/** When an object expires, and by which rule. */
export interface Expiring {
  readonly atMs: number
  readonly ruleId: string
}

const DAY_MS = 24 * 3_600_000
/** How long an object may outlive its expiry while the store is in use. */
const EVERY_MS = 1_000

/**
 * Removes what the lifecycles of the buckets let expire. S3 does that in its own time; here it happens before a request is
 * served, so that an injected clock decides alone.
 */
export class Expiry {
  readonly #disk: Disk
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(disk: Disk) {
    this.#disk = disk
  }

  run(nowMs: number): void {
    if (Math.abs(nowMs - this.#lastMs) < EVERY_MS) return
    this.#lastMs = nowMs
    for (const bucket of this.#disk.buckets) {
      const rules = this.#disk.lifecycle(bucket)
      if (rules.length > 0) this.#expire(bucket, rules, nowMs)
    }
  }

  #expire(bucket: string, rules: readonly LifecycleRule[], nowMs: number): void {
    for (const key of [...(this.#disk.keys(bucket) ?? [])]) {
      const object = this.#disk.object(bucket, key)
      const expiring = object && expiringBy(rules, object)
      if (expiring !== undefined && expiring.atMs <= nowMs) this.#disk.delete(bucket, key)
    }
    for (const upload of [...this.#disk.uploads.values()]) {
      if (upload.bucket !== bucket) continue
      const isDue = ({ status, filter, abortUploadsAfterDays: days }: LifecycleRule) =>
        status === 'Enabled' &&
        days !== undefined &&
        upload.key.startsWith(filter.prefix) &&
        midnightAfter(upload.initiatedMs, days) <= nowMs
      if (rules.some(isDue)) this.#disk.abortUpload(upload.id)
    }
  }
}

/** The earliest expiry that a rule gives the object. */
export function expiringBy(rules: readonly LifecycleRule[], object: StoredObject): Expiring | undefined {
  let earliest: Expiring | undefined
  for (const { id: ruleId, status, filter, expiration } of rules) {
    if (status !== 'Enabled' || expiration === undefined || !fits(filter, object)) continue
    const atMs = 'atMs' in expiration ? expiration.atMs : midnightAfter(object.modifiedMs, expiration.days)
    if (earliest === undefined || atMs < earliest.atMs) earliest = { atMs, ruleId }
  }
  return earliest
}

function fits(filter: LifecycleFilter, { key, bytes, tags = [] }: StoredObject): boolean {
  const { prefix, largerThan = -1, smallerThan = Number.POSITIVE_INFINITY } = filter
  const hasTag = ([name, value]: Tags[number]) => tags.some((tag) => tag[0] === name && tag[1] === value)
  return key.startsWith(prefix) && filter.tags.every(hasTag) && bytes > largerThan && bytes < smallerThan
}

/** S3 adds the days to the time and goes on to the next midnight UTC. */
function midnightAfter(ms: number, days: number): number {
  return (Math.floor(ms / DAY_MS) + days + 1) * DAY_MS
}
