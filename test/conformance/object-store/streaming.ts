import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { type Bench, BUCKET, type Property } from './bench.ts'
import { type RawAnswer, sendRaw, sign } from './signing.ts'

const content = Buffer.from('streamed in chunks '.repeat(10_000))
const CHUNK_BYTES = 64 * 1024
const UNSIGNED_TRAILER = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
const SIGNED = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'

/** Bodies in the `aws-chunked` encoding. */
export function streaming(property: Property): void {
  property("a stream of the SDK's with a trailing checksum is decoded, verified and kept", async (bench) => {
    const Key = `${bench.fresh()}streamed`
    for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'SHA256'] as const) {
      const Body = Readable.from([content.subarray(0, 70_001), content.subarray(70_001)])
      const ContentLength = content.length
      const put = { Bucket: BUCKET, Key, Body, ContentLength, ChecksumAlgorithm }
      // A client of its own: versitygw may answer before it has read the end of the body, and takes what is left on
      // the connection for the next request's first line (400 BadRequest).
      await bench.client().send(new PutObjectCommand(put))
      expect((await bench.get(Key)).equals(content)).toBe(true)
      const ChecksumMode = 'ENABLED'
      const head = await bench.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key, ChecksumMode }))
      expect(head[`Checksum${ChecksumAlgorithm}`]).toBeDefined()
      expect(head.ContentLength).toBe(content.length)
    }
  })

  property('the encoding in which a body came is not that of the object', async (bench) => {
    const Key = `${bench.fresh()}streamed`
    expect(await putSigned(bench, Key)).toMatchObject({ status: 200 })
    const head = await bench.s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }))
    expect(head.ContentEncoding ?? '').toBe('')
  })

  property('a trailing checksum of another body is refused, and leaves nothing', async (bench) => {
    const prefix = bench.fresh()
    const { status } = await putUnsigned(bench, `${prefix}bad`, crcOf(Buffer.from('another')))
    expect(status).toBe(400)
    expect(await bench.keys(prefix)).toEqual([])
    expect(await putUnsigned(bench, `${prefix}good`, crcOf(content))).toMatchObject({ status: 200 })
    expect((await bench.get(`${prefix}good`)).equals(content)).toBe(true)
  })

  property('a body of signed chunks is decoded', async (bench) => {
    const Key = `${bench.fresh()}signed`
    expect(await putSigned(bench, Key)).toMatchObject({ status: 200 })
    expect((await bench.get(Key)).equals(content)).toBe(true)
  })

  property('a body of signed chunks and a signed trailer is decoded and verified', async (bench) => {
    const Key = `${bench.fresh()}signed`
    expect(await putSigned(bench, Key, { trailer: crcOf(content) })).toMatchObject({ status: 200 })
    expect((await bench.get(Key)).equals(content)).toBe(true)
  })

  property(
    'a chunk that is not what was signed is SignatureDoesNotMatch, and leaves nothing',
    async (bench) => {
      const prefix = bench.fresh()
      const change = (body: Buffer) => {
        const changed = Buffer.from(body)
        const at = Math.floor(body.length / 2)
        changed[at] = changed[at] === 0x61 ? 0x62 : 0x61
        return changed
      }
      const refused = await putSigned(bench, `${prefix}changed`, { change })
      expect(refused).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' })
      expect(await bench.keys(prefix)).toEqual([])
    }
  )

  property('a body that ends before its last chunk is refused, and leaves nothing', async (bench) => {
    const prefix = bench.fresh()
    const cut = (body: Buffer) => body.subarray(0, body.length - 1_000)
    const { status } = await putSigned(bench, `${prefix}cut`, { change: cut })
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    expect(await bench.keys(prefix)).toEqual([])
  })
}

interface SignedPut {
  /** A CRC-32 in base64, sent as signed trailer. */
  readonly trailer?: string
  /** What happens to the body on its way. */
  readonly change?: (body: Buffer) => Buffer
}

async function putSigned(bench: Bench, key: string, { trailer, change }: SignedPut = {}): Promise<RawAnswer> {
  const path = `/${BUCKET}/${key}`
  const headers = {
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': String(content.length),
    ...(trailer !== undefined && { 'x-amz-trailer': 'x-amz-checksum-crc32' })
  }
  const payload = trailer === undefined ? SIGNED : `${SIGNED}-TRAILER`
  const signed = sign(bench.access, { method: 'PUT', path, headers, payload })
  const pieces: Buffer[] = []
  for (let at = 0; at < content.length; at += CHUNK_BYTES) {
    pieces.push(signed.chunks.chunk(content.subarray(at, at + CHUNK_BYTES)))
  }
  pieces.push(signed.chunks.chunk(Buffer.alloc(0)))
  pieces.push(
    trailer === undefined ? Buffer.from('\r\n') : signed.chunks.trailer('x-amz-checksum-crc32', trailer)
  )
  const body = Buffer.concat(pieces)
  return await sendRaw(bench.access, 'PUT', path, signed.headers, change?.(body) ?? body)
}

async function putUnsigned(bench: Bench, key: string, crc: string): Promise<RawAnswer> {
  const path = `/${BUCKET}/${key}`
  const headers = {
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': String(content.length),
    'x-amz-trailer': 'x-amz-checksum-crc32'
  }
  const signed = sign(bench.access, { method: 'PUT', path, headers, payload: UNSIGNED_TRAILER })
  const body = Buffer.concat([
    Buffer.from(`${content.length.toString(16)}\r\n`),
    content,
    Buffer.from(`\r\n0\r\nx-amz-checksum-crc32:${crc}\r\n\r\n`)
  ])
  return await sendRaw(bench.access, 'PUT', path, signed.headers, body)
}

function crcOf(bytes: Buffer): string {
  const crc = Buffer.alloc(4)
  crc.writeUInt32BE(crc32(bytes))
  return crc.toString('base64')
}
