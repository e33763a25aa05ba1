import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FeedLine } from '../../../src/actors/feed/feed.ts'
import { LineSplitter } from '../../../src/actors/feed/lines.ts'

const whole = { lineBytesMax: 1_000, keptBytes: 10 }
const start = { line: 1, offset: 0 }

function cut(text: string, sizes: readonly number[], options = whole): FeedLine[] {
  const bytes = Buffer.from(text)
  const splitter = new LineSplitter(options, start)
  const lines: FeedLine[] = []
  let at = 0
  for (const size of sizes) {
    lines.push(...splitter.push(bytes.subarray(at, at + size)))
    at += size
  }
  lines.push(...splitter.push(bytes.subarray(at)), ...splitter.finish())
  expect(splitter.next.offset).toBe(bytes.length)
  return lines
}

test('however a stream is cut, its lines, their numbers and offsets are the same', () => {
  const line = fc.constantFrom('', ' ', '{"a":1}', 'é🌊', '{"id":"7"}', '\r')
  fc.assert(
    fc.property(fc.array(line), fc.boolean(), fc.array(fc.nat(9)), (lines, ends, sizes) => {
      const text = lines.join('\n') + (ends ? '\n' : '')
      let offset = 0
      const expected = text.split('\n').flatMap((content, index) => {
        const at = offset
        offset += Buffer.byteLength(content) + 1
        const bare = content.replace(/\r$/, '')
        return bare.trim() === '' ? [] : [{ text: bare, line: index + 1, offset: at }]
      })
      const found = cut(text, sizes).map((one) => ({
        text: one.bytes.toString(),
        line: one.line,
        offset: one.offset
      }))
      expect(found).toEqual(expected)
    })
  )
})

test('a line that is too long is given with its beginning, its length, and the next one follows', () => {
  const long = 'x'.repeat(5_000)
  for (const sizes of [[], [1_000, 1_000], [3, 4_000]]) {
    const [first, second] = cut(`${long}\n{"a":1}\n`, sizes)
    expect(first).toMatchObject({ length: 5_000, line: 1, offset: 0 })
    expect(first?.bytes.toString()).toBe('x'.repeat(10))
    expect(second).toMatchObject({ line: 2, offset: 5_001 })
    expect(second?.bytes.toString()).toBe('{"a":1}')
  }
})
