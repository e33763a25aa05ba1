import { Readable } from 'node:stream'
import { ListBucketsCommand, PutObjectCommand, type S3ClientConfig } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { type Bench, BUCKET, type Property, type Refusal, refusal } from './bench.ts'
import { sendRaw, sha256, sign } from './signing.ts'

const MISMATCH = { name: 'SignatureDoesNotMatch', status: 403 }

/** Requests that SigV4 must refuse, and one that it must not. */
export function signatures(property: Property): void {
  property('a wrong secret is SignatureDoesNotMatch', async (bench) => {
    const { accessKeyId } = bench.access
    const credentials = { accessKeyId, secretAccessKey: 'guess-me' }
    expect(await refusedTo(bench, { credentials })).toEqual(MISMATCH)
  })

  property('an unknown key is InvalidAccessKeyId', async (bench) => {
    const credentials = { accessKeyId: 'AKIDUNKNOWN', secretAccessKey: bench.access.secretAccessKey }
    expect(await refusedTo(bench, { credentials })).toEqual({ name: 'InvalidAccessKeyId', status: 403 })
  })

  property('a clock that is an hour off is RequestTimeTooSkewed', async (bench) => {
    for (const systemClockOffset of [3_600_000, -3_600_000]) {
      const refused = await refusedTo(bench, { systemClockOffset })
      expect(refused).toEqual({ name: 'RequestTimeTooSkewed', status: 403 })
    }
  })

  property('another region is AuthorizationHeaderMalformed', async (bench) => {
    const elsewhere = bench.client({ region: 'eu-west-1' })
    const put = new PutObjectCommand({ Bucket: BUCKET, Key: `${bench.fresh()}far`, Body: 'x' })
    expect(await refusal(elsewhere.send(put))).toEqual({ name: 'AuthorizationHeaderMalformed', status: 400 })
  })

  property('a request without a signature is AccessDenied', async (bench) => {
    const Key = `${bench.fresh()}private`
    await bench.put(Key, 'x')
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await sendRaw(bench.access, method, `/${BUCKET}/${Key}`, {}, Buffer.alloc(0))
      expect(answer, method).toMatchObject({ status: 403, code: 'AccessDenied' })
    }
  })

  property('a body that is not the one that was signed is refused, and leaves nothing', async (bench) => {
    const prefix = bench.fresh()
    const path = `/${BUCKET}/${prefix}altered`
    const signed = sign(bench.access, { method: 'PUT', path, headers: {}, payload: sha256('the body') })
    const put = (body: string) => sendRaw(bench.access, 'PUT', path, signed.headers, Buffer.from(body))
    expect(await put('another!')).toMatchObject({ status: 400, code: 'XAmzContentSHA256Mismatch' })
    expect(await bench.keys(prefix)).toEqual([])
    expect(await put('the body')).toMatchObject({ status: 200 })
  })

  property('a header or a query that is not the signed one is SignatureDoesNotMatch', async (bench) => {
    const prefix = bench.fresh()
    const path = `/${BUCKET}/${prefix}altered`
    const headers = { 'x-amz-meta-entry': 'one' }
    const signed = sign(bench.access, { method: 'PUT', path, headers, payload: sha256('') })
    const put = (to: string, altered: Record<string, string>) =>
      sendRaw(bench.access, 'PUT', to, { ...signed.headers, ...altered }, Buffer.alloc(0))
    const mismatch = { status: 403, code: 'SignatureDoesNotMatch' }
    expect(await put(path, { 'x-amz-meta-entry': 'two' })).toMatchObject(mismatch)
    expect(await put(`${path}?x-id=PutObject`, {})).toMatchObject(mismatch)
    expect(await put(`${path}2`, {})).toMatchObject(mismatch)
    expect(await bench.keys(prefix)).toEqual([])
  })

  property('a large upload that is refused at once still hears why', async (bench) => {
    const content = Buffer.alloc(3_000_000)
    const { accessKeyId } = bench.access
    const stranger = bench.client({ credentials: { accessKeyId, secretAccessKey: 'guess-me' } })
    for (const Body of [content, Readable.from([content])]) {
      const put = { Bucket: BUCKET, Key: 'k', Body, ContentLength: content.length }
      expect(await refusal(stranger.send(new PutObjectCommand(put)))).toEqual(MISMATCH)
    }
  })
}

function refusedTo(bench: Bench, config: S3ClientConfig): Promise<Refusal> {
  return refusal(bench.client(config).send(new ListBucketsCommand({})))
}
