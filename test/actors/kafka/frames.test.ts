import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Frames, frameBytesMax } from '../../../src/actors/kafka/frames.ts'
import type { Fault } from '../../../src/errors.ts'

/** Plays the socket: copies `bytes` into the memory it is offered, `sizes` at a time. */
function play(frames: Frames, bytes: Buffer, sizes: readonly number[]): void {
  let memory = frames.onread.buffer()
  let turn = 0
  for (let at = 0; at < bytes.length; ) {
    const size = Math.max(1, sizes[turn++ % Math.max(1, sizes.length)] ?? 1)
    const read = bytes.copy(memory, 0, at, Math.min(bytes.length, at + size))
    at += read
    frames.onread.callback(read, memory)
    memory = frames.onread.buffer()
  }
}

function framed(payload: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeInt32BE(payload.length)
  return Buffer.concat([head, payload])
}

function collect(frames: Frames) {
  const got: Buffer[] = []
  const faults: Fault[] = []
  frames.handOver({
    allocate: (bytes) => Buffer.alloc(bytes + 3),
    frame: (frame) => got.push(frame),
    broken: (fault) => faults.push(fault)
  })
  return { got, faults }
}

test('frames come out whole and in order, however the socket cuts them', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 4, maxLength: 300 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 }),
      (payloads, sizes) => {
        const frames = new Frames()
        const { got } = collect(frames)
        const all = payloads.map((payload) => Buffer.from(payload))
        play(frames, Buffer.concat(all.map(framed)), sizes)
        expect(got.map((frame) => frame.toString('hex'))).toEqual(all.map((one) => one.toString('hex')))
      }
    )
  )
})

test('bytes before the hand-over pass raw, and a read that was under way then is not lost', () => {
  const frames = new Frames()
  const raw: Buffer[] = []
  frames.raw = (bytes) => raw.push(bytes)
  const early = frames.onread.buffer()
  early.write('hello')
  frames.onread.callback(5, early)
  const underWay = frames.onread.buffer()
  const { got } = collect(frames)
  const bytes = Buffer.concat([framed(Buffer.from('first')), framed(Buffer.from('second')).subarray(0, 7)])
  bytes.copy(underWay)
  frames.onread.callback(bytes.length, underWay)
  play(frames, Buffer.from('second').subarray(3), [1])
  expect(raw.map(String)).toEqual(['hello'])
  expect(got.map(String)).toEqual(['first', 'second'])
})

test('a length that no answer has breaks the stream once, and nothing follows', () => {
  for (const length of [-1, 0, 3, frameBytesMax + 1, 0x16030100]) {
    const frames = new Frames()
    const { got, faults } = collect(frames)
    const head = Buffer.alloc(4)
    head.writeInt32BE(length)
    play(frames, Buffer.concat([head, Buffer.alloc(50)]), [7])
    expect(faults.map(({ code }) => code)).toEqual(['stream-broken'])
    expect(got).toEqual([])
  }
})
