import { createHash } from 'node:crypto'
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { type Bench, BUCKET, BUCKETS, type Property, refusal } from './bench.ts'

export function objects(property: Property): void {
  property('an object keeps its content, its headers and its metadata', async (bench) => {
    const Key = `${bench.fresh()}kept`
    const ETag = await bench.put(Key, 'some content', {
      ContentType: 'text/x-test',
      CacheControl: 'no-store',
      Metadata: { entry: 'abc-1' }
    })
    expect(ETag).toBe(`"${createHash('md5').update('some content').digest('hex')}"`)
    const kept = {
      ...{ ContentType: 'text/x-test', CacheControl: 'no-store', Metadata: { entry: 'abc-1' } },
      ...{ ETag, ContentLength: 12, AcceptRanges: 'bytes' }
    }
    const got = await bench.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }))
    expect(await got.Body?.transformToString()).toBe('some content')
    expect(got).toMatchObject(kept)
    expect(await bench.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }))).toMatchObject(kept)
  })

  property('keys keep all their characters, up to 1,024 bytes', async (bench) => {
    const prefix = bench.fresh()
    const long = `${'k'.repeat(120)}/`.repeat(8).slice(0, 1_024 - prefix.length - 56) + 'k'.repeat(56)
    await keepNames(bench, prefix, ['plain', 'tränen 🌊+&=%2F?#', "quo'te(*)!", 'a b/~c$,;:@', long])
  })

  property('keys keep empty segments and dots', (bench) =>
    keepNames(bench, bench.fresh(), ['a/../b', 'a//b', '/lead', 'dot/.'])
  )

  property('a key over 1,024 bytes is KeyTooLongError', async (bench) => {
    const Key = `${'é'.repeat(60)}/`.repeat(8) + 'é'.repeat(29)
    expect(await refusal(bench.put(Key, 'x'))).toMatchObject({ name: 'KeyTooLongError', status: 400 })
  })

  property('ranges are served as RFC 9110 says, and one past the end is InvalidRange', async (bench) => {
    const Key = `${bench.fresh()}range`
    await bench.put(Key, '0123456789')
    const ranged = async (Range: string) => {
      const got = await bench.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key, Range }))
      return [await got.Body?.transformToString(), got.ContentRange, got.$metadata.httpStatusCode]
    }
    expect(await ranged('bytes=2-4')).toEqual(['234', 'bytes 2-4/10', 206])
    expect(await ranged('bytes=7-')).toEqual(['789', 'bytes 7-9/10', 206])
    expect(await ranged('bytes=-3')).toEqual(['789', 'bytes 7-9/10', 206])
    expect(await ranged('bytes=8-99')).toEqual(['89', 'bytes 8-9/10', 206])
    expect(await refusal(ranged('bytes=10-'))).toEqual({ name: 'InvalidRange', status: 416 })
  })

  property('an overwritten object has the new content, a deleted one is NoSuchKey', async (bench) => {
    const Key = `${bench.fresh()}twice`
    const remove = () => bench.s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }))
    await bench.put(Key, 'first')
    await bench.put(Key, 'second')
    expect((await bench.get(Key)).toString()).toBe('second')
    await remove()
    await remove()
    expect(await refusal(bench.get(Key))).toEqual({ name: 'NoSuchKey', status: 404 })
    const head = bench.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }))
    expect(await refusal(head)).toEqual({ name: 'NotFound', status: 404 })
  })

  property('one request deletes many keys, absent ones included', async (bench) => {
    const prefix = bench.fresh()
    const named = (...names: readonly string[]) => names.map((name) => ({ Key: `${prefix}${name}` }))
    for (const { Key } of named('a', 'b&<', 'c')) await bench.put(Key, 'x')
    const Delete = { Objects: named('a', 'b&<', 'absent') }
    const { Deleted = [] } = await bench.s3.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete }))
    expect(Deleted.map(({ Key }) => ({ Key })).sort(byKey)).toEqual(named('a', 'absent', 'b&<'))
    expect(await bench.keys(prefix)).toEqual([`${prefix}c`])
  })

  property('a copy has its own content and the headers of its source', async (bench) => {
    const prefix = bench.fresh()
    const [from, Key] = [`${prefix}from`, `${prefix}to`]
    await bench.put(from, 'x', { Metadata: { a: 'b' } })
    await bench.s3.send(new CopyObjectCommand({ Bucket: BUCKET, Key, CopySource: `${BUCKET}/${from}` }))
    await bench.s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: from }))
    expect((await bench.get(Key)).toString()).toBe('x')
    const head = await bench.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }))
    expect(head).toMatchObject({ Metadata: { a: 'b' } })
  })

  property('buckets are listed and answer HEAD; an absent one is NoSuchBucket', async (bench) => {
    const { Buckets = [] } = await bench.s3.send(new ListBucketsCommand({}))
    expect(Buckets.map(({ Name }) => Name)).toEqual(BUCKETS)
    await bench.s3.send(new HeadBucketCommand({ Bucket: BUCKET }))
    const Bucket = 'absent-bucket'
    const missing = { name: 'NoSuchBucket', status: 404 }
    expect(await refusal(bench.s3.send(new ListObjectsV2Command({ Bucket })))).toEqual(missing)
    expect(await refusal(bench.s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' })))).toEqual(
      missing
    )
    expect(await refusal(bench.get('k', Bucket))).toEqual(missing)
    expect(await refusal(bench.s3.send(new HeadBucketCommand({ Bucket })))).toMatchObject({ status: 404 })
  })

  property('a checksum that was sent is kept and given back', async (bench) => {
    const prefix = bench.fresh()
    const sums = {
      CRC32: 'NSRBwg==',
      CRC32C: 'Nks/tw==',
      SHA256: 'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='
    }
    for (const [name, sum] of Object.entries(sums)) {
      const Key = `${prefix}${name}`
      const field = `Checksum${name as keyof typeof sums}` as const
      const put = await bench.s3.send(
        new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'abc', [field]: sum })
      )
      expect(put[field], name).toBe(sum)
      const ChecksumMode = 'ENABLED'
      const head = await bench.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key, ChecksumMode }))
      expect(head[field], name).toBe(sum)
    }
  })

  property(
    'a body that is not what its checksum or MD5 says is BadDigest, and leaves nothing',
    async (bench) => {
      const prefix = bench.fresh()
      const wrong = { ContentMD5: 'AAAAAAAAAAAAAAAAAAAAAA==' }
      expect(await refusal(bench.put(`${prefix}md5`, 'abc', wrong))).toEqual({
        name: 'BadDigest',
        status: 400
      })
      for (const algorithm of ['CRC32', 'CRC32C', 'SHA256'] as const) {
        const sum = Buffer.alloc(algorithm === 'SHA256' ? 32 : 4).toString('base64')
        const sent = bench.put(`${prefix}${algorithm}`, 'abc', { [`Checksum${algorithm}`]: sum })
        const { name, status } = await refusal(sent)
        expect(status).toBe(400)
        // The second name is MinIO's.
        expect(['BadDigest', 'XAmzContentChecksumMismatch'], algorithm).toContain(name)
      }
      expect(await bench.keys(prefix)).toEqual([])
    }
  )
}

async function keepNames(bench: Bench, prefix: string, names: readonly string[]): Promise<void> {
  const keys = names.map((name) => `${prefix}${name}`)
  for (const key of keys) await bench.put(key, `content of ${key}`)
  for (const key of keys) expect((await bench.get(key)).toString()).toBe(`content of ${key}`)
  expect((await bench.keys(prefix)).sort()).toEqual(keys.sort())
}

function byKey(a: { readonly Key: string | undefined }, b: { readonly Key: string | undefined }): number {
  return (a.Key ?? '') < (b.Key ?? '') ? -1 : 1
}
