import { expect, test } from 'vitest'
import { Rates } from '../../../src/actors/http/rates.ts'

test('a rate is the growth per second over the window', () => {
  const rates = new Rates(5000)
  expect(rates.update(0, { a: 100 })).toEqual({})
  expect(rates.update(1000, { a: 300 })).toEqual({ a: 200 })
  expect(rates.update(4000, { a: 300 })).toEqual({ a: 50 })
  expect(rates.update(9000, { a: 300, b: 7 })).toEqual({ a: 0 })
  expect(rates.update(14_000, { a: 300, b: 17 })).toEqual({ a: 0, b: 2 })
})

test('many viewers at once see the same rate', () => {
  const rates = new Rates(5000)
  rates.update(0, { a: 0 })
  for (let at = 10; at <= 2000; at += 10)
    expect(rates.update(at, { a: at })).toEqual({ a: expect.closeTo(1000) })
})

test('a counter that began anew counts from zero', () => {
  const rates = new Rates(5000)
  rates.update(0, { a: 1000 })
  expect(rates.update(1000, { a: 30 })).toEqual({ a: 30 })
})
