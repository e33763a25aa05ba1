import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTimestamp } from '../../src/records/timestamp.ts'

function parse(text: string): number {
  const buffer = Buffer.from(`"${text}"Z5`)
  return parseTimestamp(buffer, 1, 1 + text.length)
}

/** The form of API v1.1, from the parts that Date gives. */
function ruby(date: Date): string {
  const [weekday, day, month, year, time] = date.toUTCString().replace(',', '').split(' ')
  return `${weekday} ${month} ${day} ${time} +0000 ${year}`
}

const moment = fc.date({
  min: new Date('0100-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true
})

test('any moment comes back from both forms', () => {
  fc.assert(
    fc.property(moment, (date) => {
      const seconds = Math.floor(date.getTime() / 1000) * 1000
      expect(parse(date.toISOString())).toBe(date.getTime())
      expect(parse(ruby(date))).toBe(seconds)
      expect(parse(date.toISOString().replace(/\.\d+/, ''))).toBe(seconds)
    })
  )
})

test.each([
  ['Wed Oct 10 20:19:24 +0000 2018', '2018-10-10T20:19:24.000Z'],
  ['Wed Oct 10 20:19:24 +0530 2018', '2018-10-10T14:49:24.000Z'],
  ['Wed Oct 10 20:19:24 -0100 2018', '2018-10-10T21:19:24.000Z'],
  ['2018-10-10T20:19:24.5Z', '2018-10-10T20:19:24.500Z'],
  ['2018-10-10T20:19:24.123999Z', '2018-10-10T20:19:24.123Z'],
  ['2018-10-10T20:19:24+02:00', '2018-10-10T18:19:24.000Z'],
  ['2018-10-10T20:19:24.001-0330', '2018-10-10T23:49:24.001Z'],
  ['2020-02-29T00:00:00Z', '2020-02-29T00:00:00.000Z'],
  ['1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999Z']
])('%s is %s', (text, iso) => {
  expect(new Date(parse(text)).toISOString()).toBe(iso)
})

test.each([
  '',
  '2018',
  '2018-10-10',
  '2018-10-10T20:19:24',
  '2018-10-10 20:19:24Z',
  '2018-02-29T00:00:00Z',
  '1900-02-29T00:00:00Z',
  '2018-13-01T00:00:00Z',
  '2018-00-01T00:00:00Z',
  '2018-01-32T00:00:00Z',
  '2018-01-01T24:00:00Z',
  '2018-01-01T00:60:00Z',
  '2018-01-01T00:00:60Z',
  '2018-01-01T00:00:00.Z',
  '2018-01-01T00:00:00ZZ',
  '2018-01-01T00:00:00+1:00',
  '0099-01-01T00:00:00Z',
  'Wed Oct 10 20:19:24 UTC00 2018',
  'Foo Oct 10 20:19:24 +0000 2018',
  'Wed Okt 10 20:19:24 +0000 2018',
  'Wed Oct 32 20:19:24 +0000 2018',
  'Wed Oct  1 20:19:24 +0000 2018',
  'Wed Oct 10 20-19-24 +0000 2018'
])('%j is no moment', (text) => {
  expect(parse(text)).toBeNaN()
})
