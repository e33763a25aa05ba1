import { expect, test } from 'vitest'
import { compressFrame, decompressFrame } from '../../src/records/lz4.ts'
import { noise } from './support.ts'

const LIMIT = 1_000_000

/** Frames of the reference library (liblz4 1.10), of a text with matches, of bytes that do not compress, of nothing. */
const golden = {
  everyChecksumAndSize:
    'BCJNGHxAUwMAAAAAAAB2FQEAAPHBMDsxOzQ7OTsxNjsyNTszNjs0OTs2NDs4MTszOzI0OzQ3OzcyOzI7MzE7NjI7OTU7MzM7NzA7MTI7NTM7OTY7NDQ7OTE7NDM7OTQ7NTA7ODs2NTsyNzs4ODs1NDsyMjs4OTs2MTszNTsxMTs4Njs2Njs0ODszMjsxODs2OzkzOzg1Ozc5Ozc1OzczOzczOzc1Ozc5Ozg1OzkzOzY7MTg7MzI7NDg7NjY7ODY7MTE7MzU7NjE7ODk7MjI7NTQ7ODg7Mjc7NjU7ODs1MDs5NDs0M48AEDSbACA1M6cAIDcwswAgOTW/AEAzMTsyzwAgNDfbABAz5QAgNjTxABEz/QCfMTY7OTs0OzE7FAH//ylQOTs2NDsPCl8+AAAAAO+QdWI=',
  stored:
    'BCJNGGRAp8gAAIAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl9gYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6foKGio6SlpqeoqaqrrK2ur7CxsrO0tba3uLm6u7y9vr/AwcLDxMXGxwAAAACc96LA',
  empty: 'BCJNGGBAggAAAAA='
}

test('reads what the reference library writes', () => {
  const squares = Array.from({ length: 300 }, (_, index) => `${(index * index) % 97};`).join('')
  const read = (frame: string) => decompressFrame(Buffer.from(frame, 'base64'), LIMIT)
  expect(read(golden.everyChecksumAndSize).toString()).toBe(squares)
  expect(read(golden.stored)).toEqual(Buffer.from(Array.from({ length: 200 }, (_, index) => index)))
  expect(read(golden.empty)).toHaveLength(0)
})

test('a changed byte of a frame with checksums is always noticed', () => {
  const frame = Buffer.from(golden.everyChecksumAndSize, 'base64')
  for (let at = 0; at < frame.length; at++) {
    const damaged = Buffer.from(frame)
    damaged[at] = (damaged[at] ?? 0) ^ 0x01
    expect(() => decompressFrame(damaged, LIMIT), `byte ${at}`).toThrow()
  }
})

test('a cut frame is noticed wherever it is cut', () => {
  const frame = compressFrame(Buffer.concat([noise(3, 70_000), Buffer.alloc(70_000, 'ab')]))
  for (let length = 0; length < frame.length; length += 997) {
    expect(() => decompressFrame(frame.subarray(0, length), LIMIT), `${length} bytes`).toThrow()
  }
})

test('writes independent blocks of at most 64 KiB, which Kafka asks for', () => {
  const plain = Buffer.concat([noise(3, 70_000), Buffer.alloc(200_000, 'abcdefgh')])
  const frame = compressFrame(plain)
  expect((frame[4] ?? 0) & 0x20).toBe(0x20)
  let blocks = 0
  for (let at = 7; frame.readUInt32LE(at) !== 0; at += 4 + (frame.readUInt32LE(at) & 0x7fffffff)) blocks++
  expect(blocks).toBe(Math.ceil(plain.length / 65_536))
  expect(frame.length).toBeLessThan(80_000)
})
