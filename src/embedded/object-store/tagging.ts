import type { Reply } from '../http-service.ts'
import type { Tags } from './disk.ts'
import { S3Error } from './errors.ts'
import { existing, header, type Operation, xmlReply } from './operation.ts'
import { receiveText } from './payload.ts'
import { parseQuery } from './signature.ts'
import { childText, parseXml, type XmlElement, type XmlTree } from './xml.ts'

/** Limits and alphabet of the S3 user guide, "categorizing your storage using tags". */
const TAGS_MAX = 10
const NAME_CHARACTERS_MAX = 128
const VALUE_CHARACTERS_MAX = 256
const ALLOWED = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

export async function getTags(operation: Operation): Promise<Reply> {
  return xmlReply('Tagging', { TagSet: tagElements(existing(operation).tags) })
}

export async function putTags(operation: Operation): Promise<Reply> {
  const { request, authentication, disk, bucket, key } = operation
  const root = parseXml(await receiveText(request, authentication))
  const set = root?.children.find(({ name }) => name === 'TagSet')
  if (root?.name !== 'Tagging' || set === undefined) throw new S3Error('MalformedXML')
  const tags = checked(tagsIn(set))
  existing(operation)
  disk.setTags(bucket, key, tags)
  return { status: 200 }
}

export async function deleteTags(operation: Operation): Promise<Reply> {
  const { disk, bucket, key } = operation
  existing(operation)
  disk.setTags(bucket, key, [])
  return { status: 204 }
}

/** The tags that `x-amz-tagging` gives a new object, in the form of a query string. */
export function taggingHeader(operation: Operation): Tags | undefined {
  const text = header(operation, 'x-amz-tagging')
  return text === undefined ? undefined : checked(parseQuery(text))
}

/** How many tags an object has; S3 says nothing of none. */
export function tagHeaders(tags: Tags = []): Record<string, string> {
  return tags.length === 0 ? {} : { 'x-amz-tagging-count': String(tags.length) }
}

/** The `Tag` elements below an element. */
export function tagsIn(parent: XmlElement): Tags {
  return parent.children
    .filter(({ name }) => name === 'Tag')
    .map((tag) => [childText(tag, 'Key') ?? '', childText(tag, 'Value') ?? ''])
}

export function tagElements(tags: Tags = []): XmlTree {
  return { Tag: tags.map(([Key, Value]) => ({ Key, Value })) }
}

function checked(tags: Tags): Tags {
  if (tags.length > TAGS_MAX)
    throw new S3Error('BadRequest', `Object tags cannot be greater than ${TAGS_MAX}`)
  for (const [name, value] of tags) {
    if (name === '' || [...name].length > NAME_CHARACTERS_MAX || !ALLOWED.test(name)) {
      throw new S3Error('InvalidTag', 'The TagKey you have provided is invalid')
    }
    if ([...value].length > VALUE_CHARACTERS_MAX || !ALLOWED.test(value)) {
      throw new S3Error('InvalidTag', 'The TagValue you have provided is invalid')
    }
  }
  if (new Set(tags.map(([name]) => name)).size < tags.length) {
    throw new S3Error('InvalidTag', 'Cannot provide multiple Tags with the same key')
  }
  return tags
}
