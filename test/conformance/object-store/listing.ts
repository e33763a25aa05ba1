import { ListObjectsV2Command, type ListObjectsV2CommandInput } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { type Bench, BUCKET, type Property } from './bench.ts'

export function listing(property: Property): void {
  property('pages of any size put together are all keys, in the order of their bytes', async (bench) => {
    const prefix = bench.fresh()
    const names = ['a!', 'a/1', 'a/2', 'b/x/1', 'b/x/2', 'b/y', 'z', '\u{fffd}', '\u{10000}', 'é', 'Z', 'b-d']
    await putAll(bench, prefix, names)
    const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const MaxKeys of [1, 3, 1000]) {
      expect(await listed(bench, prefix, { MaxKeys }), String(MaxKeys)).toEqual(sorted)
    }
  })

  property('start-after is exclusive, need not exist, and holds over pages', async (bench) => {
    const prefix = bench.fresh()
    const names = ['a', 'b-', 'b/1', 'b/2', 'c']
    await putAll(bench, prefix, names)
    for (const after of ['', 'a', 'aa', 'b', 'b-', 'b/', 'b/1', 'b0', 'c', 'd']) {
      for (const MaxKeys of [1, 1000]) {
        const found = await listed(bench, prefix, { StartAfter: `${prefix}${after}`, MaxKeys })
        expect(found, after).toEqual(names.filter((name) => name > after))
      }
    }
  })

  property('a prefix need not end at a slash, and an absent one is an empty list', async (bench) => {
    const prefix = bench.fresh()
    await putAll(bench, prefix, ['log/1', 'log/2', 'logs', 'other'])
    expect(await listed(bench, `${prefix}log`, {})).toEqual(['/1', '/2', 's'])
    expect(await listed(bench, `${prefix}log/`, {})).toEqual(['1', '2'])
    const none = await bench.s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: `${prefix}none` }))
    expect(none).toMatchObject({ KeyCount: 0, IsTruncated: false })
  })

  property('a delimiter rolls keys up, also over pages', async (bench) => {
    const prefix = bench.fresh()
    await putAll(bench, prefix, ['a', 'd/1', 'd/2', 'e/1', 'f'])
    for (const MaxKeys of [1, 2, 1000]) {
      const found = await listed(bench, prefix, { Delimiter: '/', MaxKeys })
      expect(found.sort(), String(MaxKeys)).toEqual(['a', 'd/', 'e/', 'f'])
    }
  })

  property('a listing says the size, the ETag and the time of each object', async (bench) => {
    const prefix = bench.fresh()
    const ETag = await bench.put(`${prefix}one`, 'abc')
    const { Contents } = await bench.s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }))
    expect(Contents).toMatchObject([{ Key: `${prefix}one`, Size: 3, ETag }])
    expect(Math.abs(Date.now() - (Contents?.[0]?.LastModified?.getTime() ?? 0))).toBeLessThan(60_000)
  })

  property('a key and the keys below it are both listed', async (bench) => {
    const prefix = bench.fresh()
    await putAll(bench, prefix, ['log', 'log/1'])
    expect(await listed(bench, prefix, {})).toEqual(['log', 'log/1'])
    expect(await listed(bench, prefix, { Delimiter: '/' })).toEqual(['log', 'log/'])
  })
}

async function putAll(bench: Bench, prefix: string, names: readonly string[]): Promise<void> {
  for (const name of names) await bench.put(`${prefix}${name}`, name)
}

/** Keys and common prefixes of all pages without their prefix; no page is longer than it may be. */
async function listed(
  bench: Bench,
  Prefix: string,
  more: Omit<ListObjectsV2CommandInput, 'Bucket' | 'Prefix'>
): Promise<string[]> {
  const found: string[] = []
  let ContinuationToken: string | undefined
  do {
    const command = new ListObjectsV2Command({ Bucket: BUCKET, Prefix, ...more, ContinuationToken })
    const page = await bench.s3.send(command)
    const keys = (page.Contents ?? []).map(({ Key = '' }) => Key)
    const rolled = (page.CommonPrefixes ?? []).map((one) => one.Prefix ?? '')
    expect(keys.length + rolled.length).toBeLessThanOrEqual(more.MaxKeys ?? 1000)
    expect(page.KeyCount).toBe(keys.length + rolled.length)
    found.push(...[...keys, ...rolled].map((key) => key.slice(Prefix.length)))
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken !== undefined)
  return found
}
