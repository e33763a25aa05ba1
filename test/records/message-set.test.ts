import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Codec, readHeader } from '../../src/records/batch.ts'
import { writeInt64 } from '../../src/records/bytes.ts'
import { compress } from '../../src/records/codecs.ts'
import { decodeRecords } from '../../src/records/record.ts'
import { chooseSeed } from '../support/random.ts'
import { nullableBytes } from './support.ts'

const require = createRequire(import.meta.url)

/**
 * Logs of three records each, as Apache Kafka 2.8.2 wrote them for librdkafka: format 0.9 (v0) and 0.10 (v1), and 0.10 with
 * the time of the append (a1).
 */
const golden: Readonly<Record<string, string>> = {
  'a1-gzip':
    'AAAAAAAAAAIAAAB03o+xBgEJAAABofz+bUP/////AAAAXh+LCAAAAAAAAP9jYIADj8TezasZORgYGBf++ZfrDBRhyjYAkgZliTmlqQoGCiWpFSXEEFDzGIHY7csimWUIM/8DAcJEQ1JNZAJiCYlP09jQXGkEMhcAco5lQcoAAAA=',
  'a1-lz4':
    'AAAAAAAAAAIAAACLLJ11SQELAAABofz+bqX/////AAAAdQQiTRhgQIJmAAAAFgABAP8WSEy1uQsBCAAAAaH8/m6lAAAAAmswAAAAMHZhbHVlIDAgdGV4dAUAEQNTAJYBAAAARqTeLcdUAEb/////UgAfMU0AEQF1AANSAJYCAAAAGKDsLRJSAKAAAAACazL/////AAAAAA==',
  'a1-none':
    'AAAAAAAAAAAAAABIgqgavQEIAAABofz+bSkAAAACazAAAAAwdmFsdWUgMCB0ZXh0IHRleHQgdGV4dCB0ZXh0IHRleHQgdGV4dCB0ZXh0IHRleHQgAAAAAAAAAAEAAABGPxjtCQEIAAABofz+bSn/////AAAAMHZhbHVlIDEgdGV4dCB0ZXh0IHRleHQgdGV4dCB0ZXh0IHRleHQgdGV4dCB0ZXh0IAAAAAAAAAACAAAAGKqJWLoBCAAAAaH8/m0pAAAAAmsy/////w==',
  'a1-snappy':
    'AAAAAAAAAAIAAACOFYymfwEKAAABofz+bcf/////AAAAeIJTTkFQUFkAAAAAAQAAAAEAAABkygEAABkBkEjXF6bHAQgAAAGh/P5txwAAAAJrMAAAADB2YWx1ZSAwIHRleHSOBQANUyABAAAARnV7X/0ZVAz/////GVIAMY5NAAV1DVIgAgAAABjfytAbGVIkAAAAAmsy/////w==',
  'v0-gzip':
    'AAAAAAAAAAIAAABh5MSXXQAB/////wAAAFMfiwgAAAAAAAD/Y2CAAwfe4v0OYBZTtgGQNChLzClNVTBQKEmtKCGGgJrDCMR2/FyK1QwM/4EAYZIhqSYxAbFAt/LjW1BXGYHMAwCkuuiLsgAAAA==',
  'v0-lz4':
    'AAAAAAAAAAIAAAB6uXlTsgAD/////wAAAGwEIk0YYEAaXQAAABYAAQBRQA1zv0APAP8EAmswAAAAMHZhbHVlIDAgdGV4dAUAEQE8APYCAAABAAAAPg8KIXsAAP////9KAB8xRQARAW0AAEcAwgAAAAIAAAAQiyPj2g4AYGsy/////wAAAAA=',
  'v0-none':
    'AAAAAAAAAAAAAABADXO/QAAAAAAAAmswAAAAMHZhbHVlIDAgdGV4dCB0ZXh0IHRleHQgdGV4dCB0ZXh0IHRleHQgdGV4dCB0ZXh0IAAAAAAAAAABAAAAPg8KIXsAAP////8AAAAwdmFsdWUgMSB0ZXh0IHRleHQgdGV4dCB0ZXh0IHRleHQgdGV4dCB0ZXh0IHRleHQgAAAAAAAAAAIAAAAQiyPj2gAAAAAAAmsy/////w==',
  'v0-snappy':
    'AAAAAAAAAAIAAAB8f8hoBwAC/////wAAAG6CU05BUFBZAAAAAAEAAAABAAAAWrIBAAAZARBADXO/QAUPSAJrMAAAADB2YWx1ZSAwIHRleHSOBQAFPEAAAAEAAAA+DwohewAA/////xlKADGORQAFbQ1KUAIAAAAQiyPj2gAAAAAAAmsy/////w==',
  'v1-gzip':
    'AAAAAAAAAAIAAAB3a+8GDwEBAAABi8/lb9D/////AAAAYR+LCAAAAAAAAP9jYIADj4nmXxkYgQzG7vNPM0AiTNkGQNKgLDGnNFXBQKEktaKEGAJqHsgoN/OwT0wwM7Nf/AcChImGpJrIBMQS1/R2XoeZmH8B7EojkLkAeVwvv8oAAAA=',
  'v1-lz4':
    'AAAAAAAAAAIAAACS7ICLIAEDAAABi8/lb9D/////AAAAfAQiTRhgQIJtAAAAFgABAOBIkTf1AAEAAAABi8/laBgA/wQCazAAAAAwdmFsdWUgMCB0ZXh0BQARADsAAEcAhAAAAEY3VvICVABma+j/////UgAfMU0AEQF1AAFQALQAAAIAAAAY1i6511IAwG/QAAAAAmsy/////wAAAAA=',
  'v1-none':
    'AAAAAAAAAAAAAABIkTf1AAEAAAABi8/laAAAAAACazAAAAAwdmFsdWUgMCB0ZXh0IHRleHQgdGV4dCB0ZXh0IHRleHQgdGV4dCB0ZXh0IHRleHQgAAAAAAAAAAEAAABGN1byAgEAAAABi8/la+j/////AAAAMHZhbHVlIDEgdGV4dCB0ZXh0IHRleHQgdGV4dCB0ZXh0IHRleHQgdGV4dCB0ZXh0IAAAAAAAAAACAAAAGNYuudcBAAAAAYvP5W/QAAAAAmsy/////w==',
  'v1-snappy':
    'AAAAAAAAAAIAAACX/cY8CQECAAABi8/lb9D/////AAAAgYJTTkFQUFkAAAAAAQAAAAEAAABtygEAABkBNEiRN/UAAQAAAAGLz+VoARhIAmswAAAAMHZhbHVlIDAgdGV4dI4FAAE7AUccAAAARjdW8gIBCQFUFGvo/////xlSADGOTQAFdQFPLAAAAAIAAAAY1i651xFSLG/QAAAAAmsy/////w=='
}

/** The whole messages of a log, one after another. */
function* messagesOf(log: Buffer): Generator<Buffer> {
  for (let start = 0; start < log.length; ) {
    const { length } = readHeader(log, start)
    yield log.subarray(start, start + length)
    start += length
  }
}

const first = 1_700_000_000_000
const value = (index: number) => `value ${index} ${'text '.repeat(8)}`
const written = [
  { offset: 0, key: 'k0', value: value(0), timestamp: first },
  { offset: 1, key: null, value: value(1), timestamp: first + 1_000 },
  { offset: 2, key: 'k2', value: null, timestamp: first + 2_000 }
]
const text = (bytes: Buffer | null) => bytes?.toString() ?? null

test.each(Object.keys(golden))('what Kafka wrote is read: %s', (name) => {
  const log = Buffer.from(golden[name] ?? '', 'base64')
  const messages = [...messagesOf(log)]
  expect(messages).toHaveLength(name.endsWith('none') ? 3 : 1)
  const records = messages.flatMap(decodeRecords)
  const [{ timestamp: appended } = { timestamp: 0 }] = records
  const stamp = (own: number) => (name.startsWith('v0') ? -1 : name.startsWith('a1') ? appended : own)
  expect(records.map((one) => ({ ...one, key: text(one.key), value: text(one.value) }))).toEqual(
    written.map((one) => ({ ...one, headers: [], timestamp: stamp(one.timestamp) }))
  )
  if (name.startsWith('a1')) expect(appended).toBeGreaterThan(first)
  const codecs: Codec[] = messages.map((message) => readHeader(message, 0).codec)
  expect(new Set(codecs)).toEqual(new Set([['none', 'gzip', 'snappy', 'lz4'].indexOf(name.slice(3))]))
  expect(readHeader(messages.at(-1) ?? log, 0)).toMatchObject({ lastOffset: 2 })
})

test('a changed byte of a message is always noticed, but for those of its offset', () => {
  for (const [name, log] of Object.entries(golden)) {
    const [message = Buffer.alloc(0)] = messagesOf(Buffer.from(log, 'base64'))
    for (let at = 8; at < message.length; at++) {
      const damaged = Buffer.from(message)
      damaged[at] = (damaged[at] ?? 0) ^ 0x04
      expect(() => decodeRecords(damaged), `${name} byte ${at}`).toThrow(
        expect.objectContaining({ code: 'batch-corrupt' })
      )
    }
  }
})

interface Entry {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly compression?: number
}
type MessageSet = (set: { messageVersion: number; compression: number; entries: Entry[] }) => {
  readonly buffer: Buffer
}

/** kafkajs writes the messages, since it still can. */
const messageSet: MessageSet = require('kafkajs/src/protocol/messageSet/index.js')

/** Messages as they lie in a log from `offset` on: by themselves, or as one wrapper with relative offsets (magic 1 only). */
function logOf(messageVersion: number, codec: Codec, offset: number, entries: Entry[]): Buffer {
  if (codec === 0) {
    const log = messageSet({ messageVersion, compression: 0, entries }).buffer
    let next = offset
    for (const message of messagesOf(withOffsets(log))) writeInt64(message, next++, 0)
    return log
  }
  const inner = messageSet({ messageVersion, compression: codec, entries }).buffer
  if (messageVersion === 0) {
    let next = offset
    for (const message of messagesOf(inner)) writeInt64(message, next++, 0)
  }
  const wrapper = { key: null, value: compress(codec, inner), timestamp: 5, compression: codec }
  const log = messageSet({ messageVersion, compression: codec, entries: [wrapper] }).buffer
  writeInt64(log, offset + entries.length - 1, 0)
  return log
}

/** kafkajs leaves offsets at -1, which no log has. */
function withOffsets(log: Buffer): Buffer {
  for (let start = 0; start < log.length; start += 12 + log.readInt32BE(start + 8)) writeInt64(log, 0, start)
  return log
}

test('messages of every format, codec and offset are read as they were written', () => {
  const seed = chooseSeed()
  const entry = fc.record({
    key: nullableBytes(40),
    value: nullableBytes(),
    timestamp: fc.nat({ max: 2 ** 45 })
  })
  const property = fc.property(
    fc.constantFrom(0, 1),
    fc.constantFrom<Codec[]>(0, 1, 2, 3),
    fc.nat({ max: 2 ** 50 }),
    fc.array(entry, { minLength: 1, maxLength: 20 }),
    (magic, codec, offset, entries) => {
      const read = [...messagesOf(logOf(magic, codec, offset, entries))].flatMap(decodeRecords)
      const expected = entries.map((one, index) => ({
        ...{ offset: offset + index, key: one.key, value: one.value, headers: [] },
        timestamp: magic === 0 ? -1 : one.timestamp
      }))
      expect(read).toEqual(expected)
    }
  )
  fc.assert(property, { seed })
})
