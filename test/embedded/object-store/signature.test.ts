import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { readChunks } from '../../../src/embedded/object-store/aws-chunked.ts'
import { type Authentication, authenticate } from '../../../src/embedded/object-store/signature.ts'

/** The worked examples of the S3 API reference, "Signature Calculations for the Authorization Header" and its like. */
const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1'
}
const nowMs = Date.UTC(2013, 4, 24)
const timestamp = '20130524T000000Z'
const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

function request(method: string, url: string, headers: Record<string, string>): IncomingMessage {
  const headersDistinct = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))
  return { method, url, headers, headersDistinct } as unknown as IncomingMessage
}

function authorization(signedHeaders: string, signature: string): string {
  return `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=${signedHeaders},Signature=${signature}`
}

function verify(method: string, url: string, headers: Record<string, string>, at = nowMs): Authentication {
  return authenticate(
    request(method, url, { host: 'examplebucket.s3.amazonaws.com', ...headers }),
    credentials,
    at
  )
}

function codeOf(run: () => unknown): string {
  try {
    run()
    return 'accepted'
  } catch (error) {
    return (error as { code: string }).code
  }
}

const getObject = {
  range: 'bytes=0-9',
  'x-amz-content-sha256': emptySha256,
  'x-amz-date': timestamp,
  authorization: authorization(
    'host;range;x-amz-content-sha256;x-amz-date',
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'
  )
}

test('GET object', () => {
  expect(verify('GET', '/test.txt', getObject).payload).toBe(emptySha256)
})

test('PUT object with a name to encode', () => {
  verify('PUT', '/test%24file.text', {
    date: 'Fri, 24 May 2013 00:00:00 GMT',
    'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    'x-amz-date': timestamp,
    'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    authorization: authorization(
      'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd'
    )
  })
})

test('GET bucket lifecycle and list, whose query is signed', () => {
  const headers = { 'x-amz-content-sha256': emptySha256, 'x-amz-date': timestamp }
  const signed = 'host;x-amz-content-sha256;x-amz-date'
  verify('GET', '/?lifecycle', {
    ...headers,
    authorization: authorization(signed, 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543')
  })
  verify('GET', '/?prefix=J&max-keys=2', {
    ...headers,
    authorization: authorization(signed, '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7')
  })
})

test('a presigned GET, until it expires', () => {
  const url =
    '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404'
  expect(verify('GET', url, {}, nowMs + 86_400_000).payload).toBe('UNSIGNED-PAYLOAD')
  expect(codeOf(() => verify('GET', url, {}, nowMs + 86_401_000))).toBe('AccessDenied')
  expect(codeOf(() => verify('PUT', url, {}))).toBe('SignatureDoesNotMatch')
})

test.each([
  ['another path', '/test.txt2', {}, 0, 'SignatureDoesNotMatch'],
  ['another header', '/test.txt', { range: 'bytes=0-8' }, 0, 'SignatureDoesNotMatch'],
  ['an x-amz header that is not signed', '/test.txt', { 'x-amz-acl': 'public' }, 0, 'AccessDenied'],
  ['a clock 16 minutes off', '/test.txt', {}, 16 * 60_000, 'RequestTimeTooSkewed'],
  ['no signature at all', '/test.txt', { authorization: 'Basic abc' }, 0, 'InvalidRequest']
] as const)('refuses %s', (_, url, headers, offMs, code) => {
  expect(codeOf(() => verify('GET', url, { ...getObject, ...headers }, nowMs + offMs))).toBe(code)
})

/** 65,536 and 1,024 bytes of `a`, as in the examples. */
function chunked(signatures: readonly [string, string, string], trailer: string): Buffer {
  const [first, second, last] = signatures
  return Buffer.from(
    `10000;chunk-signature=${first}\r\n${'a'.repeat(65_536)}\r\n400;chunk-signature=${second}\r\n${'a'.repeat(1024)}\r\n0;chunk-signature=${last}\r\n${trailer}\r\n`
  )
}

async function decode(body: Buffer, authentication: Authentication, pieceBytes: number) {
  const pieces = async function* () {
    for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes)
  }
  const trailers = new Map<string, string>()
  const chunks: Buffer[] = []
  for await (const chunk of readChunks(pieces(), authentication, trailers)) chunks.push(chunk)
  return { content: Buffer.concat(chunks), trailers }
}

const streamed = {
  'content-encoding': 'aws-chunked',
  'content-length': '66824',
  'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  'x-amz-date': timestamp,
  'x-amz-decoded-content-length': '66560',
  'x-amz-storage-class': 'REDUCED_REDUNDANCY'
}

test('signed chunks, however the bytes are cut; a changed byte or a missing end is refused', async () => {
  const authentication = verify('PUT', '/examplebucket/chunkObject.txt', {
    ...streamed,
    host: 's3.amazonaws.com',
    authorization: authorization(
      'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
      '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9'
    )
  })
  const body = chunked(
    [
      'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
      '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
      'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'
    ],
    ''
  )
  for (const pieceBytes of [1, 7, 65_536, body.length]) {
    expect((await decode(body, authentication, pieceBytes)).content).toEqual(Buffer.alloc(66_560, 'a'))
  }
  const changed = Buffer.from(body)
  changed[1000] = 0x62
  await expect(decode(changed, authentication, 1000)).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' })
  await expect(decode(body.subarray(0, 66_700), authentication, 1000)).rejects.toMatchObject({
    code: 'IncompleteBody'
  })
})

test('signed chunks with a signed trailer', async () => {
  const authentication = verify('PUT', '/examplebucket/chunkObject.txt', {
    'content-encoding': 'aws-chunked',
    host: 's3.amazonaws.com',
    'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
    'x-amz-date': timestamp,
    'x-amz-decoded-content-length': '66560',
    'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    'x-amz-trailer': 'x-amz-checksum-crc32c',
    authorization: authorization(
      'content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer',
      '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e'
    )
  })
  const signed = (checksum: string) =>
    chunked(
      [
        'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
        '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
        '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992'
      ],
      `x-amz-checksum-crc32c:${checksum}\n\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n`
    )
  const { content, trailers } = await decode(signed('sOO8/Q=='), authentication, 1000)
  expect(content).toEqual(Buffer.alloc(66_560, 'a'))
  expect(trailers.get('x-amz-checksum-crc32c')).toBe('sOO8/Q==')
  await expect(decode(signed('sOO8/A=='), authentication, 1000)).rejects.toMatchObject({
    code: 'SignatureDoesNotMatch'
  })
})
