import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  sizeOfVarint,
  sizeOfVarlong,
  VarintReader,
  writeVarint,
  writeVarlong
} from '../../src/records/varint.ts'

test.each([
  [0, '00'],
  [-1, '01'],
  [1, '02'],
  [63, '7e'],
  [-64, '7f'],
  [64, '8001'],
  [8191, 'fe7f'],
  [2147483647, 'feffffff0f'],
  [-2147483648, 'ffffffff0f']
])('the varint %i is %s', (value, hex) => {
  const buffer = Buffer.alloc(10)
  const end = writeVarint(buffer, value, 0)
  expect(buffer.toString('hex', 0, end)).toBe(hex)
  expect(buffer.toString('hex', 0, writeVarlong(buffer, value, 0))).toBe(hex)
  expect(new VarintReader(buffer).varint()).toBe(value)
  expect(new VarintReader(buffer).varlong()).toBe(value)
})

test('varints and varlongs come back, and take the bytes that were announced', () => {
  const long = fc.integer({ min: -(2 ** 52), max: 2 ** 52 })
  fc.assert(
    fc.property(fc.integer(), long, (int, value) => {
      const buffer = Buffer.alloc(20)
      const middle = writeVarint(buffer, int, 0)
      const end = writeVarlong(buffer, value, middle)
      expect([middle, end - middle]).toEqual([sizeOfVarint(int), sizeOfVarlong(value)])
      const reader = new VarintReader(buffer, 0, end)
      expect([reader.varint(), reader.varlong(), reader.at]).toEqual([int, value, end])
    })
  )
})

test('a cut or endless integer is a fault', () => {
  const endless = Buffer.alloc(12, 0xff)
  expect(() => new VarintReader(endless).varint()).toThrow('longer than five bytes')
  expect(() => new VarintReader(endless).varlong()).toThrow('longer than ten bytes')
  expect(() => new VarintReader(endless, 0, 3).varint()).toThrow('in the middle of a field')
})
