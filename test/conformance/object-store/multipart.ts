import { createHash } from 'node:crypto'
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { type Bench, BUCKET, PART_BYTES_MIN, type Property, refusal } from './bench.ts'
import { beginUpload } from './uploading.ts'

const first = Buffer.alloc(PART_BYTES_MIN, 1)
const last = Buffer.from('the end')
const NO_UPLOAD = { name: 'NoSuchUpload', status: 404 }

export function multipart(property: Property): void {
  property('an upload is invisible until it is complete', async (bench) => {
    const prefix = bench.fresh()
    const Key = `${prefix}big`
    const upload = await beginUpload(bench, Key, [first, last], { Metadata: { entry: 'e1' } })
    expect(await bench.keys(prefix)).toEqual([])
    expect(await refusal(bench.get(Key))).toEqual({ name: 'NoSuchKey', status: 404 })
    const { ETag } = await upload.complete()
    expect(ETag).toBe(etagOf([first, last]))
    expect((await bench.get(Key)).equals(Buffer.concat([first, last]))).toBe(true)
    const head = await bench.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }))
    const ContentLength = PART_BYTES_MIN + last.length
    expect(head).toMatchObject({ ETag, ContentLength, Metadata: { entry: 'e1' } })
    const Range = `bytes=${PART_BYTES_MIN - 1}-${PART_BYTES_MIN + 2}`
    const middle = await bench.s3.send(new GetObjectCommand({ Bucket: BUCKET, Key, Range }))
    expect(await middle.Body?.transformToString()).toBe('\u0001the')
    expect(await bench.keys(prefix)).toEqual([Key])
  })

  for (const algorithm of ['CRC32', 'CRC32C', 'SHA256'] as const) {
    property(`parts with ${algorithm} make an object with the checksum of their checksums`, async (bench) => {
      const Key = `${bench.fresh()}big`
      const upload = await beginUpload(bench, Key, [first, last], { ChecksumAlgorithm: algorithm })
      const field = `Checksum${algorithm}` as const
      const sums = upload.parts.map((part) => part[field] ?? '')
      expect(sums.every((sum) => sum.length === (algorithm === 'SHA256' ? 44 : 8))).toBe(true)
      const completed = await upload.complete()
      expect(completed[field]).toMatch(/-2$/)
      const ChecksumMode = 'ENABLED'
      const head = await bench.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key, ChecksumMode }))
      expect(head[field]).toBe(completed[field])
      if (algorithm === 'SHA256') {
        const all = createHash('sha256').update(Buffer.concat(sums.map((sum) => Buffer.from(sum, 'base64'))))
        expect(completed.ChecksumSHA256).toBe(`${all.digest('base64')}-2`)
      }
    })
  }

  property('a part that is not what its checksum says is refused', async (bench) => {
    const Key = `${bench.fresh()}big`
    const upload = await beginUpload(bench, Key, [], { ChecksumAlgorithm: 'SHA256' })
    const ChecksumSHA256 = Buffer.alloc(32).toString('base64')
    const { name, status } = await refusal(upload.put(1, last, { ChecksumSHA256 }))
    expect(status).toBe(400)
    // The second name is MinIO's.
    expect(['BadDigest', 'XAmzContentChecksumMismatch']).toContain(name)
    expect((await partsOf(bench, Key, upload.id)).length).toBe(0)
  })

  property('a part that is sent again counts as it came last', async (bench) => {
    const Key = `${bench.fresh()}big`
    const upload = await beginUpload(bench, Key, [Buffer.from('old'), last])
    const { ETag } = await upload.put(1, first)
    const [, second] = upload.parts
    if (second === undefined) throw new Error('there are two parts')
    expect(await refusal(upload.complete())).toMatchObject({ name: 'InvalidPart', status: 400 })
    await upload.complete({ parts: [{ PartNumber: 1, ETag }, second] })
    expect((await bench.get(Key)).equals(Buffer.concat([first, last]))).toBe(true)
  })

  property('uploads and their parts are listed until they end', async (bench) => {
    const prefix = bench.fresh()
    const Key = `${prefix}big`
    const upload = await beginUpload(bench, Key, [first, last])
    const uploads = async () => {
      const { Uploads = [] } = await bench.s3.send(
        new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: Key })
      )
      return Uploads.map(({ UploadId, Key: key }) => [key, UploadId])
    }
    expect(await uploads()).toEqual([[Key, upload.id]])
    expect(await partsOf(bench, Key, upload.id)).toMatchObject([
      { PartNumber: 1, Size: first.length, ETag: upload.parts[0]?.ETag },
      { PartNumber: 2, Size: last.length, ETag: upload.parts[1]?.ETag }
    ])
    await upload.abort()
    expect(await uploads()).toEqual([])
  })

  property('an upload that was aborted is NoSuchUpload, to parts and listings', async (bench) => {
    const Key = `${bench.fresh()}big`
    const upload = await beginUpload(bench, Key, [last])
    await upload.abort()
    expect(await refusal(upload.put(1, last))).toEqual(NO_UPLOAD)
    expect(await refusal(partsOf(bench, Key, upload.id))).toEqual(NO_UPLOAD)
    expect(await refusal(bench.get(Key))).toEqual({ name: 'NoSuchKey', status: 404 })
  })

  property('a Complete of an upload that was aborted is NoSuchUpload', async (bench) => {
    const Key = `${bench.fresh()}big`
    const upload = await beginUpload(bench, Key, [last])
    await upload.abort()
    expect(await refusal(upload.complete())).toEqual(NO_UPLOAD)
  })

  property('an Abort of an upload that was aborted is NoSuchUpload', async (bench) => {
    const upload = await beginUpload(bench, `${bench.fresh()}big`, [last])
    await upload.abort()
    expect(await refusal(upload.abort())).toEqual(NO_UPLOAD)
  })

  property('a repeated Complete is NoSuchUpload or the same result, and changes nothing', async (bench) => {
    const Key = `${bench.fresh()}big`
    const upload = await beginUpload(bench, Key, [last])
    const { ETag } = await upload.complete()
    const again = await upload.complete().catch(() => undefined)
    if (again === undefined) expect(await refusal(upload.complete())).toEqual(NO_UPLOAD)
    else expect(again.ETag).toBe(ETag)
    expect((await bench.get(Key)).equals(last)).toBe(true)
  })

  property('Complete refuses small parts', async (bench) => {
    const Key = `${bench.fresh()}big`
    const upload = await beginUpload(bench, Key, [last, last])
    expect(await refusal(upload.complete())).toEqual({ name: 'EntityTooSmall', status: 400 })
  })

  property('Complete refuses parts out of order', async (bench) => {
    const upload = await beginUpload(bench, `${bench.fresh()}big`, [first, first])
    const refused = await refusal(upload.complete({ parts: upload.parts.toReversed() }))
    expect(refused).toEqual({ name: 'InvalidPartOrder', status: 400 })
    await upload.complete()
  })

  property('Complete refuses parts that are another or not there', async (bench) => {
    const upload = await beginUpload(bench, `${bench.fresh()}big`, [last])
    const [part] = upload.parts
    const invalid = { name: 'InvalidPart', status: 400 }
    const another = { ...part, ETag: `"${'0'.repeat(32)}"` }
    expect(await refusal(upload.complete({ parts: [another] }))).toEqual(invalid)
    expect(await refusal(upload.complete({ parts: [{ ...part, PartNumber: 7 }] }))).toEqual(invalid)
    await upload.complete()
  })

  property('Complete wants the checksums that the upload was begun with', async (bench) => {
    const Key = `${bench.fresh()}big`
    const upload = await beginUpload(bench, Key, [last], { ChecksumAlgorithm: 'SHA256' })
    const parts = upload.parts.map((part) => ({
      ...part,
      ChecksumSHA256: Buffer.alloc(32).toString('base64')
    }))
    expect(await refusal(upload.complete({ parts }))).toMatchObject({ status: 400 })
    expect(await refusal(bench.get(Key))).toMatchObject({ name: 'NoSuchKey' })
    await upload.complete()
  })
}

async function partsOf(bench: Bench, Key: string, UploadId: string) {
  const { Parts = [] } = await bench.s3.send(new ListPartsCommand({ Bucket: BUCKET, Key, UploadId }))
  return Parts
}

function etagOf(parts: readonly Buffer[]): string {
  const md5s = parts.map((part) => createHash('md5').update(part).digest())
  return `"${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-${parts.length}"`
}
