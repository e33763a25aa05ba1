import {
  CopyObjectCommand,
  DeleteObjectTaggingCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  PutObjectTaggingCommand
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { type Bench, BUCKET, type Property, refusal } from './bench.ts'
import { beginUpload } from './uploading.ts'

type Tags = Readonly<Record<string, string>>

export function tagging(property: Property): void {
  property('an object has the tags it was put with, and GET says how many', async (bench) => {
    const Key = `${bench.fresh()}tagged`
    await bench.put(Key, 'x', { Tagging: 'class=raw&owner=team+a%2Fb&empty=' })
    expect(await tagsOf(bench, Key)).toEqual({ class: 'raw', owner: 'team a/b', empty: '' })
    const got = await bench.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }))
    await got.Body?.transformToString()
    expect(got.TagCount).toBe(3)
  })

  property('an object has the tags that its upload was begun with', async (bench) => {
    const Key = `${bench.fresh()}tagged`
    const upload = await beginUpload(bench, Key, [Buffer.from('x')], { Tagging: 'class=raw' })
    await upload.complete()
    expect(await tagsOf(bench, Key)).toEqual({ class: 'raw' })
  })

  property('tags are replaced as a whole, and deleted; the content stays', async (bench) => {
    const Key = `${bench.fresh()}tagged`
    await bench.put(Key, 'content', { Tagging: 'class=raw' })
    await setTags(bench, Key, { stage: 'b', 'a:+=._-@/': 'o 1' })
    expect(await tagsOf(bench, Key)).toEqual({ stage: 'b', 'a:+=._-@/': 'o 1' })
    expect((await bench.get(Key)).toString()).toBe('content')
    await bench.s3.send(new DeleteObjectTaggingCommand({ Bucket: BUCKET, Key }))
    expect(await tagsOf(bench, Key)).toEqual({})
    expect((await bench.get(Key)).toString()).toBe('content')
  })

  property('tags may be of the letters of any language', async (bench) => {
    const Key = `${bench.fresh()}tagged`
    await bench.put(Key, 'x')
    await setTags(bench, Key, { größe: 'zehn Fuß', 大きさ: '十' })
    expect(await tagsOf(bench, Key)).toEqual({ größe: 'zehn Fuß', 大きさ: '十' })
  })

  property('an object that is written again has no tags of its past', async (bench) => {
    const Key = `${bench.fresh()}tagged`
    await bench.put(Key, 'one', { Tagging: 'class=raw' })
    await bench.put(Key, 'two')
    expect(await tagsOf(bench, Key)).toEqual({})
  })

  property('a copy has the tags of its source', async (bench) => {
    const prefix = bench.fresh()
    await bench.put(`${prefix}from`, 'x', { Tagging: 'class=raw' })
    const CopySource = `${BUCKET}/${prefix}from`
    await bench.s3.send(new CopyObjectCommand({ Bucket: BUCKET, Key: `${prefix}to`, CopySource }))
    expect(await tagsOf(bench, `${prefix}to`)).toEqual({ class: 'raw' })
  })

  property('a copy may have other tags than its source', async (bench) => {
    const prefix = bench.fresh()
    await bench.put(`${prefix}from`, 'x', { Tagging: 'class=raw' })
    const copy = { Bucket: BUCKET, Key: `${prefix}to`, CopySource: `${BUCKET}/${prefix}from` }
    const replacing = { TaggingDirective: 'REPLACE', Tagging: 'class=fine' } as const
    await bench.s3.send(new CopyObjectCommand({ ...copy, ...replacing }))
    expect(await tagsOf(bench, `${prefix}to`)).toEqual({ class: 'fine' })
  })

  property('more than ten tags, and names over 128 characters, are refused', async (bench) => {
    const Key = `${bench.fresh()}tagged`
    await bench.put(Key, 'x')
    const eleven = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`t${index}`, 'x']))
    expect(await refusal(setTags(bench, Key, eleven))).toEqual({ name: 'BadRequest', status: 400 })
    const long = setTags(bench, Key, { ['n'.repeat(129)]: 'x' })
    expect(await refusal(long)).toEqual({ name: 'InvalidTag', status: 400 })
    expect(await tagsOf(bench, Key)).toEqual({})
    await setTags(bench, Key, { ['n'.repeat(128)]: 'v'.repeat(256) })
  })

  property('the tags of an absent object are NoSuchKey', async (bench) => {
    const Key = `${bench.fresh()}absent`
    const missing = { name: 'NoSuchKey', status: 404 }
    expect(await refusal(tagsOf(bench, Key))).toEqual(missing)
    expect(await refusal(setTags(bench, Key, { a: 'b' }))).toEqual(missing)
  })
}

async function tagsOf(bench: Bench, Key: string): Promise<Tags> {
  const { TagSet = [] } = await bench.s3.send(new GetObjectTaggingCommand({ Bucket: BUCKET, Key }))
  return Object.fromEntries(TagSet.map(({ Key: name = '', Value = '' }) => [name, Value]))
}

async function setTags(bench: Bench, Key: string, tags: Tags): Promise<void> {
  const TagSet = Object.entries(tags).map(([name, Value]) => ({ Key: name, Value }))
  await bench.s3.send(new PutObjectTaggingCommand({ Bucket: BUCKET, Key, Tagging: { TagSet } }))
}
