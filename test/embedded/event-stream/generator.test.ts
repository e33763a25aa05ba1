import { expect, test } from 'vitest'
import { tweetAt } from '../../../src/embedded/event-stream/generator.ts'
import { parseRule, tokenize } from '../../../src/embedded/event-stream/rule-language.ts'

const COUNT = 5000
const tweets = Array.from({ length: COUNT }, (_, index) => tweetAt(7, index))

interface Payload {
  readonly data: {
    readonly id: string
    readonly author_id: string
    readonly created_at: string
    readonly in_reply_to_user_id?: string
    readonly referenced_tweets?: readonly { readonly type: string; readonly id: string }[]
    readonly text: string
  }
  readonly includes: { readonly users: readonly { readonly id: string; readonly location?: string }[] }
}

const payloads = tweets.map(({ json }) => JSON.parse(json) as Payload)

test('the same seed and index make the same event, another seed another', () => {
  expect(tweetAt(7, 1234)).toEqual(tweets[1234])
  expect(tweetAt(8, 1234).json).not.toBe(tweets[1234]?.json)
})

test('ids are unique, ascending and beyond exact doubles, also for large indexes', () => {
  const ids = [...tweets, tweetAt(7, 10_000_000), tweetAt(7, 10_000_001)].map(({ id }) => BigInt(id))
  for (const [index, id] of ids.entries()) {
    expect(id > 2n ** 53n && id < 2n ** 63n).toBe(true)
    if (index > 0) expect(id > (ids[index - 1] ?? 0n)).toBe(true)
  }
})

test("every event matches at least one of the demo's rules", () => {
  const rules = ['hadoop', '"big data"', 'kafka', 'cloud'].map((rule) => parseRule(rule))
  for (const { text } of tweets) {
    const words = tokenize(text)
    expect(rules.some((rule) => 'matches' in rule && rule.matches(words))).toBe(true)
  }
})

test('the JSON is what a standard writer would write', () => {
  for (const [index, { id, text, json }] of tweets.entries()) {
    expect(JSON.stringify(payloads[index])).toBe(json)
    expect(payloads[index]?.data).toMatchObject({ id, text })
  }
})

test('events are about 640 bytes and each is one line', () => {
  const bytes = tweets.map(({ json }) => Buffer.byteLength(json))
  expect(bytes.reduce((sum, one) => sum + one, 0) / COUNT).toBeGreaterThan(600)
  expect(bytes.reduce((sum, one) => sum + one, 0) / COUNT).toBeLessThan(680)
  expect(tweets.some(({ json }) => json.includes('\n'))).toBe(false)
})

test('retweets, replies, newlines, emoji and absent fields all occur, and the author is among the users', () => {
  const share = (fits: (payload: Payload) => boolean) => payloads.filter(fits).length / COUNT
  expect(share(({ data }) => data.referenced_tweets?.[0]?.type === 'retweeted')).toBeCloseTo(0.1, 1)
  expect(share(({ data }) => data.in_reply_to_user_id !== undefined)).toBeCloseTo(0.1, 1)
  expect(share(({ data }) => data.text.includes('\n'))).toBeGreaterThan(0.05)
  expect(share(({ data }) => /\p{Extended_Pictographic}/u.test(data.text))).toBeGreaterThan(0.2)
  expect(share(({ includes }) => includes.users[0]?.location === undefined)).toBeCloseTo(0.25, 1)
  expect(share(({ data, includes }) => includes.users.some((user) => user.id === data.author_id))).toBe(1)
  expect(payloads[40]?.data.created_at).toBe('2024-01-01T00:00:01.000Z')
})
