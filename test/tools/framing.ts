/** A run of bytes that belongs to one request or answer, as the proxy passes it on. */
export interface Piece {
  readonly bytes: Buffer
  /** Set on the first piece of a request or answer: what rules match, such as `EndTxn` or `PUT /bucket/key`. */
  readonly begins?: string
  /** Whether these are its last bytes. */
  readonly ends: boolean
}

/** Cuts one direction of one connection into pieces; holds bytes back only until it knows what begins. */
export type Splitter = (chunk: Buffer) => Piece[]

/** How a proxied protocol tells one request from the next. */
export interface Framing {
  readonly requests: () => Splitter
  readonly answers: () => Splitter
  /** Whether each request has exactly one answer, in order, so that answers under way can be counted. */
  readonly pipelined: boolean
}

const chunks = (): Splitter => (bytes) => [{ bytes, begins: 'bytes', ends: true }]

/** Any protocol over TCP, TLS among them: each chunk as it comes counts as a request. */
export const tcpFraming: Framing = { requests: chunks, answers: chunks, pipelined: false }

const NAMES = [
  ...['Produce', 'Fetch', 'ListOffsets', 'Metadata', '', '', '', '', 'OffsetCommit', 'OffsetFetch'],
  ...['FindCoordinator', 'JoinGroup', 'Heartbeat', 'LeaveGroup', 'SyncGroup', 'DescribeGroups', 'ListGroups'],
  ...['SaslHandshake', 'ApiVersions', 'CreateTopics', 'DeleteTopics', 'DeleteRecords', 'InitProducerId'],
  ...['OffsetForLeaderEpoch', 'AddPartitionsToTxn', 'AddOffsetsToTxn', 'EndTxn', 'WriteTxnMarkers'],
  'TxnOffsetCommit'
]

/** Kafka in plain text: requests are named by their API; see https://kafka.apache.org/protocol#protocol_api_keys. */
export const kafkaFraming: Framing = {
  requests: () => lengthPrefixed(6, (head) => NAMES[head.readInt16BE(4)] || `api ${head.readInt16BE(4)}`),
  answers: () => lengthPrefixed(4, () => 'answer'),
  pipelined: true
}

/** Frames of a big-endian INT32 length and so many bytes. */
function lengthPrefixed(headBytes: number, name: (head: Buffer) => string): Splitter {
  let head = Buffer.alloc(0)
  let left = 0
  return (chunk) => {
    const pieces: Piece[] = []
    for (let at = 0; at < chunk.length; ) {
      if (left > 0) {
        const bytes = chunk.subarray(at, at + left)
        left -= bytes.length
        at += bytes.length
        pieces.push({ bytes, ends: left === 0 })
        continue
      }
      const more = chunk.subarray(at, at + headBytes - head.length)
      head = Buffer.concat([head, more])
      at += more.length
      if (head.length < headBytes) break
      left = head.readInt32BE(0) - (headBytes - 4)
      pieces.push({ bytes: head, begins: name(head), ends: left === 0 })
      head = Buffer.alloc(0)
    }
    return pieces
  }
}

/** HTTP/1.1 without pipelining: requests are named `GET /path?query`. The bytes pass as they came, Host included. */
export const httpFraming: Framing = { requests: httpRequests, answers: httpAnswers, pipelined: false }

/** Interim answers (100 Continue) are no answers: what follows them is. */
function httpAnswers(): Splitter {
  return (bytes) => [
    bytes.subarray(0, 10).toString('latin1').startsWith('HTTP/1.1 1')
      ? { bytes, ends: false }
      : { bytes, begins: 'answer', ends: true }
  ]
}

function httpRequests(): Splitter {
  let held = Buffer.alloc(0)
  let body: Body | undefined
  return (chunk) => {
    const pieces: Piece[] = []
    held = Buffer.concat([held, chunk])
    for (;;) {
      if (body === undefined) {
        const end = held.indexOf('\r\n\r\n')
        if (end < 0) return pieces
        const bytes = held.subarray(0, end + 4)
        held = held.subarray(bytes.length)
        const head = bytes.toString('latin1')
        body = bodyOf(head)
        pieces.push({ bytes, begins: head.split(' ', 2).join(' '), ends: body === undefined })
      } else {
        const { length, ends } = body(held)
        if (length === 0) return pieces
        pieces.push({ bytes: held.subarray(0, length), ends })
        held = held.subarray(length)
        if (ends) body = undefined
      }
    }
  }
}

/** How many of these bytes belong to the body, 0 when more must come first, and whether it is whole with them. */
type Body = (bytes: Buffer) => { readonly length: number; readonly ends: boolean }

function bodyOf(head: string): Body | undefined {
  if (/^transfer-encoding:.*chunked/im.test(head)) return chunkedBody()
  let left = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
  if (left === 0) return undefined
  return (bytes) => {
    const length = Math.min(left, bytes.length)
    left -= length
    return { length, ends: left === 0 }
  }
}

/** Chunk by chunk: a size in hexadecimal, its bytes and a line end; size 0 and an empty line are the end (RFC 9112, 7.1). */
function chunkedBody(): Body {
  let left = 0
  return (bytes) => {
    if (left === 0) {
      const line = bytes.indexOf('\r\n')
      if (line < 0) return { length: 0, ends: false }
      const size = Number.parseInt(bytes.toString('latin1', 0, line), 16)
      if (size === 0) {
        const length = line + 4
        return bytes.length < length ? { length: 0, ends: false } : { length, ends: true }
      }
      left = line + 2 + size + 2
    }
    const length = Math.min(left, bytes.length)
    left -= length
    return { length, ends: false }
  }
}
