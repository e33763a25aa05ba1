import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { BUCKET, type Property, refusal } from './bench.ts'
import { beginUpload } from './uploading.ts'

const FAILED = { name: 'PreconditionFailed', status: 412 }

export function conditions(property: Property): void {
  property('of many rivals that create one key exactly one wins, and its content stays', async (bench) => {
    const Key = `${bench.fresh()}entry`
    const rivals = Array.from({ length: 8 }, (_, index) => `rival ${index}`)
    const create = (content: string) => bench.put(Key, content, { IfNoneMatch: '*' })
    const results = await Promise.allSettled(rivals.map(create))
    const winners = rivals.filter((_, index) => results[index]?.status === 'fulfilled')
    expect(winners).toHaveLength(1)
    expect((await bench.get(Key)).toString()).toBe(winners[0])
    expect(await refusal(create('late'))).toEqual(FAILED)
  })

  property('a key that was deleted can be created again', async (bench) => {
    const Key = `${bench.fresh()}entry`
    await bench.put(Key, 'one', { IfNoneMatch: '*' })
    await bench.s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }))
    await bench.put(Key, 'two', { IfNoneMatch: '*' })
    expect((await bench.get(Key)).toString()).toBe('two')
  })

  property('a PUT with If-Match needs the present ETag', async (bench) => {
    const Key = `${bench.fresh()}head`
    const replace = (IfMatch: string) => bench.put(Key, 'new', { IfMatch })
    const another = `"${'0'.repeat(32)}"`
    expect(await refusal(replace(another))).toEqual({ name: 'NoSuchKey', status: 404 })
    const ETag = await bench.put(Key, 'old')
    expect(await refusal(replace(another))).toEqual(FAILED)
    expect((await bench.get(Key)).toString()).toBe('old')
    await replace(ETag)
    expect((await bench.get(Key)).toString()).toBe('new')
  })

  property('a Complete with If-None-Match fails where an object is, and the upload stays', async (bench) => {
    const Key = `${bench.fresh()}big`
    await bench.put(Key, 'already here')
    const upload = await beginUpload(bench, Key, [Buffer.from('the end')])
    expect(await refusal(upload.complete({ IfNoneMatch: '*' }))).toEqual(FAILED)
    expect((await bench.get(Key)).toString()).toBe('already here')
    const uploads = await bench.s3.send(new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: Key }))
    expect(uploads.Uploads?.map(({ UploadId }) => UploadId)).toEqual([upload.id])
    await bench.s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }))
    await upload.complete({ IfNoneMatch: '*' })
    expect((await bench.get(Key)).toString()).toBe('the end')
  })

  property('of two uploads that create one key by Complete one wins', async (bench) => {
    const Key = `${bench.fresh()}big`
    const uploads = [
      await beginUpload(bench, Key, [Buffer.from('one')]),
      await beginUpload(bench, Key, [Buffer.from('two')])
    ]
    const results = await Promise.allSettled(uploads.map((upload) => upload.complete({ IfNoneMatch: '*' })))
    const won = results.findIndex(({ status }) => status === 'fulfilled')
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((await bench.get(Key)).toString()).toBe(['one', 'two'][won])
  })

  property('a Complete with If-Match needs the present ETag', async (bench) => {
    const Key = `${bench.fresh()}big`
    const old = await bench.put(Key, 'old')
    const ETag = await bench.put(Key, 'newer')
    const upload = await beginUpload(bench, Key, [Buffer.from('newest')])
    expect(await refusal(upload.complete({ IfMatch: old }))).toEqual(FAILED)
    await upload.complete({ IfMatch: ETag })
    expect((await bench.get(Key)).toString()).toBe('newest')
  })

  property('a GET and a HEAD tell what has not changed, and what is another', async (bench) => {
    const Key = `${bench.fresh()}read`
    const ETag = await bench.put(Key, 'content')
    const get = (condition: object) =>
      bench.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key, ...condition }))
    expect(await refusal(get({ IfNoneMatch: ETag }))).toMatchObject({ status: 304 })
    expect(await refusal(get({ IfMatch: `"${'0'.repeat(32)}"` }))).toEqual(FAILED)
    expect(await (await get({ IfMatch: ETag })).Body?.transformToString()).toBe('content')
    const head = bench.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key, IfNoneMatch: ETag }))
    expect(await refusal(head)).toMatchObject({ status: 304 })
  })
}
