import { createHash } from 'node:crypto'
import { S3Error } from './errors.ts'
import { type Authentication, hmac, sameText, sha256Hex } from './signature.ts'

const LINE_BYTES_MAX = 4096
const EMPTY_SHA256 = sha256Hex('')

/**
 * Decodes an `aws-chunked` body: `<hex size>[;chunk-signature=<hex>]\r\n<bytes>\r\n` until a chunk of size 0, then trailers.
 *
 * In the signed forms (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD[-TRAILER]`) every chunk's signature covers the one before it,
 * from the request's own on; the unsigned form is `STREAMING-UNSIGNED-PAYLOAD-TRAILER`. Bytes of a chunk come out before
 * its signature is known, so what was received counts only when the iteration ends. Fills `trailers` (names in lower
 * case). Throws `S3Error`.
 */
export async function* readChunks(
  source: AsyncIterable<Buffer>,
  authentication: Authentication,
  trailers: Map<string, string>
): AsyncIterable<Buffer> {
  const signed = authentication.payload.startsWith('STREAMING-AWS4-HMAC-SHA256-PAYLOAD')
  if (!signed && authentication.payload !== 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') {
    throw new S3Error('NotImplemented', `${authentication.payload} is not supported.`)
  }
  const reader = new ByteReader(source)
  const chain = new SignatureChain(authentication)
  for (;;) {
    const [sizeText = '', extension = ''] = (await reader.line()).split(';')
    if (!/^[0-9a-f]{1,10}$/i.test(sizeText)) throw new S3Error('IncompleteBody')
    let left = Number.parseInt(sizeText, 16)
    const last = left === 0
    const hash = createHash('sha256')
    while (left > 0) {
      const piece = await reader.upTo(left)
      left -= piece.length
      if (signed) hash.update(piece)
      yield piece
    }
    if (signed)
      chain.check(extension.replace('chunk-signature=', ''), last ? EMPTY_SHA256 : hash.digest('hex'))
    if (last) break
    if ((await reader.line()) !== '') throw new S3Error('IncompleteBody')
  }
  readTrailers(await reader.rest(), trailers)
  if (authentication.payload === 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER') chain.checkTrailers(trailers)
}

function readTrailers(text: string, trailers: Map<string, string>): void {
  for (const line of text.split('\n')) {
    const at = line.indexOf(':')
    if (at > 0) trailers.set(line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim())
  }
}

class SignatureChain {
  readonly #authentication: Authentication
  #previous: string

  constructor(authentication: Authentication) {
    this.#authentication = authentication
    this.#previous = authentication.signature
  }

  check(signature: string, sha256: string): void {
    this.#checkNext('AWS4-HMAC-SHA256-PAYLOAD', signature, [EMPTY_SHA256, sha256])
  }

  checkTrailers(trailers: ReadonlyMap<string, string>): void {
    const canonical = [...trailers]
      .filter(([name]) => name !== 'x-amz-trailer-signature')
      .map(([name, value]) => `${name}:${value}\n`)
      .join('')
    const signature = trailers.get('x-amz-trailer-signature') ?? ''
    this.#checkNext('AWS4-HMAC-SHA256-TRAILER', signature, [sha256Hex(canonical)])
  }

  #checkNext(kind: string, signature: string, hashes: readonly string[]): void {
    const { timestamp, scope, signingKey } = this.#authentication
    const stringToSign = [kind, timestamp, scope, this.#previous, ...hashes].join('\n')
    const expected = hmac(signingKey, stringToSign).toString('hex')
    if (!sameText(expected, signature)) throw new S3Error('SignatureDoesNotMatch')
    this.#previous = expected
  }
}

/** Takes lines and runs of bytes off a stream of buffers. The end of the stream where bytes are due is `IncompleteBody`. */
class ByteReader {
  readonly #source: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next line without its CRLF. */
  async line(): Promise<string> {
    let end = this.#rest.indexOf('\r\n')
    while (end < 0) {
      if (this.#rest.length > LINE_BYTES_MAX || !(await this.#more())) throw new S3Error('IncompleteBody')
      end = this.#rest.indexOf('\r\n')
    }
    const line = this.#rest.toString('latin1', 0, end)
    this.#rest = this.#rest.subarray(end + 2)
    return line
  }

  /** At least one and at most `bytesMax` bytes. */
  async upTo(bytesMax: number): Promise<Buffer> {
    if (this.#rest.length === 0 && !(await this.#more())) throw new S3Error('IncompleteBody')
    const piece = this.#rest.subarray(0, bytesMax)
    this.#rest = this.#rest.subarray(piece.length)
    return piece
  }

  async rest(): Promise<string> {
    while (this.#rest.length <= LINE_BYTES_MAX && (await this.#more()));
    return this.#rest.toString('latin1')
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next()
    if (next.done === true) return false
    this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value])
    return true
  }
}
