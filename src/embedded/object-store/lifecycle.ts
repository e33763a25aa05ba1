import { randomUUID } from 'node:crypto'
import type { Reply } from '../http-service.ts'
import type { StoredObject } from './disk.ts'
import { S3Error } from './errors.ts'
import { type Expiration, expiringBy, type LifecycleFilter, type LifecycleRule } from './expiry.ts'
import { type Operation, xmlReply } from './operation.ts'
import { receiveText } from './payload.ts'
import { tagElements, tagsIn } from './tagging.ts'
import { childText, parseXml, type XmlElement, type XmlTree } from './xml.ts'

const RULES_MAX = 1_000
const DAY_MS = 24 * 3_600_000

export async function getLifecycle({ disk, bucket }: Operation): Promise<Reply> {
  const rules = disk.lifecycle(bucket)
  if (rules.length === 0) throw new S3Error('NoSuchLifecycleConfiguration', undefined, { BucketName: bucket })
  return xmlReply('LifecycleConfiguration', { Rule: rules.map(written) })
}

export async function putLifecycle({ disk, bucket, request, authentication }: Operation): Promise<Reply> {
  const root = parseXml(await receiveText(request, authentication))
  const elements = root?.children.filter(({ name }) => name === 'Rule') ?? []
  if (root?.name !== 'LifecycleConfiguration' || elements.length === 0 || elements.length > RULES_MAX) {
    throw new S3Error('MalformedXML')
  }
  const rules = elements.map(ruleOf)
  if (new Set(rules.map(({ id }) => id)).size < rules.length) {
    throw new S3Error('InvalidArgument', 'Rule ID must be unique. Found same ID for more than one rule')
  }
  disk.setLifecycle(bucket, rules)
  return { status: 200 }
}

export async function deleteLifecycle({ disk, bucket }: Operation): Promise<Reply> {
  disk.setLifecycle(bucket, [])
  return { status: 204 }
}

/** `x-amz-expiration` of an object that a rule lets expire. */
export function expirationHeader({ disk }: Operation, object: StoredObject): Record<string, string> {
  const expiring = expiringBy(disk.lifecycle(object.bucket), object)
  if (expiring === undefined) return {}
  const date = new Date(expiring.atMs).toUTCString()
  return { 'x-amz-expiration': `expiry-date="${date}", rule-id="${encodeURIComponent(expiring.ruleId)}"` }
}

function ruleOf(element: XmlElement): LifecycleRule {
  const known = ['ID', 'Status', 'Prefix', 'Filter', 'Expiration', 'AbortIncompleteMultipartUpload']
  const unknown = element.children.find(({ name }) => !known.includes(name))
  if (unknown !== undefined) {
    throw new S3Error('NotImplemented', `${unknown.name} of a lifecycle rule is not implemented.`)
  }
  const status = childText(element, 'Status')
  if (status !== 'Enabled' && status !== 'Disabled') throw new S3Error('MalformedXML')
  const expiration = expirationOf(child(element, 'Expiration'))
  const abort = child(element, 'AbortIncompleteMultipartUpload')
  const abortUploadsAfterDays = abort && daysOf(childText(abort, 'DaysAfterInitiation'))
  if (expiration === undefined && abort === undefined) {
    throw new S3Error('InvalidRequest', 'At least one action needs to be specified in a rule')
  }
  const filter = filterOf(element)
  if (abort !== undefined && filter.tags.length > 0) {
    throw new S3Error('InvalidRequest', 'AbortIncompleteMultipartUpload cannot be specified with Tags')
  }
  const id = childText(element, 'ID') || randomUUID()
  return { id, status, filter, expiration, abortUploadsAfterDays }
}

/** A prefix by itself is the older form of a filter. */
function filterOf(rule: XmlElement): LifecycleFilter {
  const filter = child(rule, 'Filter')
  const older = childText(rule, 'Prefix')
  if ((filter === undefined) === (older === undefined)) throw new S3Error('MalformedXML')
  if (filter === undefined) return { prefix: older ?? '', tags: [] }
  const criteria = child(filter, 'And') ?? filter
  if (criteria === filter && filter.children.length > 1) throw new S3Error('MalformedXML')
  const bytes = (name: string) => {
    const text = childText(criteria, name)
    if (text !== undefined && !/^\d{1,15}$/.test(text)) throw new S3Error('MalformedXML')
    return text === undefined ? undefined : Number(text)
  }
  return {
    prefix: childText(criteria, 'Prefix') ?? '',
    tags: tagsIn(criteria),
    largerThan: bytes('ObjectSizeGreaterThan'),
    smallerThan: bytes('ObjectSizeLessThan')
  }
}

function expirationOf(element: XmlElement | undefined): Expiration | undefined {
  if (element === undefined) return undefined
  if (child(element, 'ExpiredObjectDeleteMarker') !== undefined) {
    throw new S3Error('NotImplemented', 'There are no versions here, so no delete markers either.')
  }
  const [days, date] = [childText(element, 'Days'), childText(element, 'Date')]
  if ((days === undefined) === (date === undefined)) throw new S3Error('MalformedXML')
  if (date === undefined) return { days: daysOf(days) }
  const atMs = Date.parse(date)
  if (Number.isNaN(atMs)) throw new S3Error('MalformedXML')
  if (atMs % DAY_MS !== 0) throw new S3Error('InvalidArgument', "'Date' must be at midnight GMT")
  return { atMs }
}

function daysOf(text: string | undefined): number {
  if (text === undefined || !/^-?\d{1,9}$/.test(text)) throw new S3Error('MalformedXML')
  if (Number(text) <= 0) {
    throw new S3Error('InvalidArgument', "'Days' for Expiration action must be a positive integer")
  }
  return Number(text)
}

function written({ id, status, filter, expiration, abortUploadsAfterDays }: LifecycleRule): XmlTree {
  return {
    ID: id,
    Status: status,
    Filter: writtenFilter(filter),
    Expiration:
      expiration &&
      ('days' in expiration
        ? { Days: expiration.days }
        : { Date: new Date(expiration.atMs).toISOString().replace('.000', '') }),
    AbortIncompleteMultipartUpload:
      abortUploadsAfterDays === undefined ? undefined : { DaysAfterInitiation: abortUploadsAfterDays }
  }
}

/** Two criteria and more stand in an `And`. */
function writtenFilter({ prefix, tags, largerThan, smallerThan }: LifecycleFilter): XmlTree {
  const sizes = { ObjectSizeGreaterThan: largerThan, ObjectSizeLessThan: smallerThan }
  const sizeCount = Object.values(sizes).filter((bytes) => bytes !== undefined).length
  const count = (prefix === '' ? 0 : 1) + tags.length + sizeCount
  const criteria = {
    Prefix: prefix === '' && count > 0 ? undefined : prefix,
    ...tagElements(tags),
    ...sizes
  }
  return count > 1 ? { And: criteria } : criteria
}

function child(parent: XmlElement, name: string): XmlElement | undefined {
  return parent.children.find((one) => one.name === name)
}
