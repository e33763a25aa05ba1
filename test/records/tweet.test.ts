import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../src/errors.ts'
import type { ColumnAppender } from '../../src/records/columns.ts'
import { eventId, TweetExtractor, tweetColumns } from '../../src/records/tweet.ts'

type Value = string | number | bigint | boolean | null
type Row = { readonly [column: string]: Value }

/** Keeps what is appended, as JavaScript values. */
class Collector implements ColumnAppender {
  readonly values: Value[] = []
  appendNull = () => void this.values.push(null)
  appendBytes = (buffer: Buffer, start: number, end: number) =>
    void this.values.push(buffer.toString('utf8', start, end))
  appendString = (value: string) => void this.values.push(value)
  appendInt64 = (high: number, low: number) =>
    void this.values.push((BigInt(high) << 32n) | BigInt(low >>> 0))
  appendNumber = (value: number) => void this.values.push(value)
  appendBoolean = (value: boolean) => void this.values.push(value)
  appendInt64FromDigits = (): never => {
    throw new Error('not used')
  }
}

const extractor = new TweetExtractor()

function extract(text: string): Row | { readonly reason: string } {
  const columns = tweetColumns.map(() => new Collector())
  const buffer = Buffer.from(`{"${text}}`)
  const reason = extractor.read(buffer, 2, buffer.length - 1)
  if (reason !== undefined) return { reason }
  extractor.row.appendTo({ columns })
  return Object.fromEntries(
    tweetColumns.map(({ name }, index) => {
      const { values } = columns[index] ?? { values: [] }
      expect(values).toHaveLength(1)
      // What templates ask for is what the file gets.
      expect(extractor.row.value(index) ?? null).toEqual(values[0])
      return [name, values[0] ?? null]
    })
  )
}

/** JSON, with bigints as their digits. */
function json(value: unknown): string {
  const text = JSON.stringify(value, (_key, member) =>
    typeof member === 'bigint' ? `\u0001${member}` : member
  )
  return text.replace(/"\\u0001(-?\d+)"/g, '$1')
}

const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary)
const someText = nullable(
  fc.string({
    unit: fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
      fc.constantFrom('\n', '"', '\\', '\0', '😀')
    )
  })
)
const someId = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const someCount = nullable(fc.integer())
const someTime = fc.date({ min: new Date('2006-03-21'), max: new Date('2100-01-01'), noInvalidDate: true })

const row: fc.Arbitrary<Row> = fc.record({
  id: someId,
  text: someText,
  source: someText,
  is_retweet: fc.boolean(),
  user_name: someText,
  created_at: nullable(someTime.map((date) => Math.floor(date.getTime() / 1000) * 1000)),
  retweet_count: someCount,
  user_location: someText,
  in_reply_to_user_id: nullable(someId),
  in_reply_to_status_id: nullable(someId),
  user_screen_name: someText,
  user_description: someText,
  friends_count: someCount,
  statuses_count: someCount,
  followers_count: someCount
})

/** Leaves out or keeps null members, by a bit each. */
function sparse(members: { readonly [name: string]: unknown }, nulls: number): object {
  const kept = Object.entries(members).filter(([, value], index) => value !== null || (nulls >> index) & 1)
  return Object.fromEntries(kept)
}

function ruby(milliseconds: number): string {
  const [weekday, day, month, year, time] = new Date(milliseconds).toUTCString().replace(',', '').split(' ')
  return `${weekday} ${month} ${day} ${time} +0000 ${year}`
}

const string = (value: Value | undefined) => (value === null || value === undefined ? null : String(value))
const time = (value: Value | undefined, form: (ms: number) => string) =>
  typeof value === 'number' ? form(value) : null
const iso = (milliseconds: number) => new Date(milliseconds).toISOString()

/** The tweet as API v1.1 sends it; ids as numbers, as strings, or as strings beside rounded numbers. */
function v1(tweet: Row, style: number): string {
  const digits = (name: string) => {
    const value = tweet[name] ?? null
    if (style % 3 === 0 || value === null) return { [name]: value }
    return { ...(style % 3 === 1 ? {} : { [name]: Number(value) }), [`${name}_str`]: string(value) }
  }
  const long = style % 2 === 0
  const user = {
    name: tweet.user_name,
    location: tweet.user_location,
    screen_name: tweet.user_screen_name,
    description: tweet.user_description,
    friends_count: tweet.friends_count,
    statuses_count: tweet.statuses_count,
    followers_count: tweet.followers_count,
    id: 5
  }
  return json({
    created_at: time(tweet.created_at, ruby),
    ...digits('id'),
    ...(long && tweet.text !== null
      ? { text: 'cut …', truncated: true, extended_tweet: { full_text: tweet.text } }
      : { text: tweet.text }),
    entities: { hashtags: [{ text: 'no', id: 1 }] },
    user: sparse(user, style),
    ...sparse({ source: tweet.source, retweet_count: tweet.retweet_count }, style),
    ...digits('in_reply_to_user_id'),
    ...digits('in_reply_to_status_id'),
    retweeted: !tweet.is_retweet,
    ...(tweet.is_retweet ? { retweeted_status: { id: 1, user: { name: 'other' } } } : {})
  })
}

/** The tweet of API v2, without its author. */
function v2Data(tweet: Row, style: number): object {
  const references = [
    ...(tweet.is_retweet ? [{ type: 'retweeted', id: '77' }] : []),
    { type: 'quoted', id: '78' },
    ...(tweet.in_reply_to_status_id === null
      ? []
      : [{ type: 'replied_to', id: string(tweet.in_reply_to_status_id) }])
  ]
  const long = style % 2 === 0 && tweet.text !== null
  return sparse(
    {
      id: string(tweet.id),
      author_id: '9007199254740993',
      text: long ? 'cut …' : tweet.text,
      note_tweet: long ? { text: tweet.text } : null,
      source: tweet.source,
      created_at: time(tweet.created_at, iso),
      public_metrics: sparse({ retweet_count: tweet.retweet_count, like_count: 3 }, style),
      in_reply_to_user_id: string(tweet.in_reply_to_user_id),
      referenced_tweets: references
    },
    style
  )
}

/** An event of the filtered stream of API v2: other users are included before or after the author. */
function v2(tweet: Row, style: number): string {
  const author = {
    id: '9007199254740993',
    name: tweet.user_name,
    location: tweet.user_location,
    username: tweet.user_screen_name,
    description: tweet.user_description,
    public_metrics: sparse(
      {
        following_count: tweet.friends_count,
        tweet_count: tweet.statuses_count,
        followers_count: tweet.followers_count
      },
      style
    )
  }
  const other = { id: '9007199254740992', name: 'other', public_metrics: { tweet_count: 1 } }
  const users = [sparse(author, style), { ...other, id: '1' }]
  if (style % 2 === 1) users.unshift(other)
  return json({ data: v2Data(tweet, style), includes: { users }, matching_rules: [{ id: '1', tag: 'x' }] })
}

const userColumns = [
  'user_name',
  'user_location',
  'user_screen_name',
  'user_description',
  'friends_count',
  'statuses_count',
  'followers_count'
]
const withoutUser = (tweet: Row): Row => ({
  ...tweet,
  ...Object.fromEntries(userColumns.map((name) => [name, null]))
})

describe('a row comes back', () => {
  const style = fc.nat(1023)
  const comesBack = (write: (tweet: Row, how: number) => string, expected: (tweet: Row) => Row) =>
    fc.property(row, style, (tweet, how) => {
      expect(extract(write(tweet, how))).toEqual(expected(tweet))
    })

  test('from API v1.1', () => {
    fc.assert(
      comesBack(v1, (tweet) => tweet),
      { numRuns: 400 }
    )
  })

  test('from an event of the API v2 stream', () => {
    fc.assert(
      comesBack(v2, (tweet) => tweet),
      { numRuns: 400 }
    )
  })

  test('from a bare tweet of API v2, without its author', () => {
    fc.assert(comesBack((tweet, how) => json(v2Data(tweet, how)), withoutUser))
  })

  test('with its id as the event id, whichever the form', () => {
    fc.assert(
      fc.property(row, style, (tweet, how) => {
        for (const text of [v1(tweet, how), v2(tweet, how), json(v2Data(tweet, how))]) {
          expect(eventId(Buffer.from(text))).toBe(String(tweet.id))
        }
      })
    )
  })
})

test('a missing author, or one not included, leaves the user columns null', () => {
  const nulls = Object.fromEntries(userColumns.map((name) => [name, null]))
  expect(extract('{"data":{"id":"1","author_id":"2"}}')).toMatchObject(nulls)
  expect(extract('{"data":{"id":"1","author_id":"2"},"includes":{}}')).toMatchObject(nulls)
  expect(
    extract('{"data":{"id":"1","author_id":"2"},"includes":{"users":[{"id":"3","name":"x"},7]}}')
  ).toMatchObject(nulls)
  expect(extract('{"data":{"id":"1"},"includes":{"users":[{"id":"3","name":"x"}]}}')).toMatchObject(nulls)
})

test('long escaped text outgrows the room for it and stays right', () => {
  const text = '\n"'.repeat(20_000)
  const tweet = { id: 1, text, source: '\t', user: { name: '\\', description: text.repeat(3) } }
  expect(extract(json(tweet))).toMatchObject({
    text,
    source: '\t',
    user_name: '\\',
    user_description: text.repeat(3)
  })
})

test.each([
  ['[]', 'not an object'],
  ['{"id":1', 'not JSON: the text ends early, at byte 7'],
  ['{}', 'id is missing'],
  ['{"id":null,"id_str":null}', 'id is missing'],
  ['{"data":{"text":"x"},"id":1}', 'id is missing'],
  ['{"errors":[{"title":"x"}]}', 'id is missing'],
  ['{"id":1.0}', 'id is not a 64-bit integer'],
  ['{"id":"x1"}', 'id is not a 64-bit integer'],
  ['{"id":true}', 'id is not a 64-bit integer'],
  ['{"id":9223372036854775808}', 'id is not a 64-bit integer'],
  ['{"id":1,"text":5}', 'text is not a string'],
  ['{"id":1,"text":{"a":1}}', 'text is not a string'],
  ['{"id":1,"user":{"name":["x"]}}', 'user_name is not a string'],
  ['{"id":1,"user":"x"}', '/user is not an object'],
  ['{"id":1,"retweeted_status":true}', '/retweeted_status is not an object'],
  ['{"data":{"id":"1","public_metrics":[]}}', '/data/public_metrics is not an object'],
  ['{"id":1,"referenced_tweets":{}}', '/referenced_tweets is not an array'],
  ['{"id":1,"retweet_count":2147483648}', 'retweet_count is not a 32-bit integer'],
  ['{"id":1,"retweet_count":-2147483649}', 'retweet_count is not a 32-bit integer'],
  ['{"id":1,"retweet_count":4294967296}', 'retweet_count is not a 32-bit integer'],
  ['{"id":1,"retweet_count":"5"}', 'retweet_count is not a 32-bit integer'],
  ['{"id":1,"retweet_count":1e2}', 'retweet_count is not a 32-bit integer'],
  ['{"id":1,"in_reply_to_user_id":""}', 'in_reply_to_user_id is not a 64-bit integer'],
  ['{"id":1,"created_at":1539202764000}', 'created_at is not a date'],
  ['{"id":1,"created_at":"yesterday"}', 'created_at is not a date'],
  ['{"id":1,"referenced_tweets":[{"type":"replied_to"}]}', 'in_reply_to_status_id is not a 64-bit integer'],
  ['{"data":{"id":"1","author_id":"x"}}', 'author_id is not a 64-bit integer'],
  ['{"data":{"id":"1","author_id":"2"},"includes":{"users":{}}}', '/includes/users is not an array'],
  [
    '{"data":{"id":"1","author_id":"2"},"includes":{"users":[{"id":"2","name":3}]}}',
    'user_name is not a string'
  ]
])('%s is refused: %s', (text, reason) => {
  expect(extract(text)).toEqual({ reason })
})

test('counts reach both ends of their range', () => {
  expect(extract('{"id":1,"retweet_count":2147483647}')).toMatchObject({ retweet_count: 2147483647 })
  expect(extract('{"id":1,"retweet_count":-2147483648}')).toMatchObject({ retweet_count: -2147483648 })
})

test('ids beyond 2^53 are exact, and id_str is believed before a rounded id', () => {
  expect(extract('{"id":9007199254740993}')).toMatchObject({ id: 9007199254740993n })
  expect(extract('{"id":9007199254740992,"id_str":"9007199254740993"}')).toMatchObject({
    id: 9007199254740993n
  })
})

test('a word written with escapes is that word', () => {
  expect(extract('{"id":1,"referenced_tweets":[{"type":"re\\u0074weeted"}]}')).toMatchObject({
    is_retweet: true
  })
})

test('an event without an id is a fault that shows nothing of the event', () => {
  for (const text of ['', 'secret', '[1]', '{"id":"secret"}', '{"text":"secret"}']) {
    const fault = eventId(Buffer.from(text))
    expect(fault).toBeInstanceOf(Fault)
    expect(fault).toMatchObject({ code: 'event-invalid' })
    expect(String(fault)).not.toContain('secret')
  }
})
