/** An NDJSON input with everything that tends to go wrong, and what must become of each line. */
export interface WorstInput {
  /** The file's content. */
  readonly text: string
  /** The lines that are events, in order, byte for byte. */
  readonly payloads: readonly string[]
  /** Line numbers (from 1) of those that are none. */
  readonly malformedLines: readonly number[]
}

export function worstInput(): WorstInput {
  const id = (index: number) => String(9_007_199_254_740_993n + BigInt(index) * 2n)
  const v2 = (index: number, data: object, user: object = {}) =>
    JSON.stringify({
      data: {
        id: id(index),
        author_id: '2244994945',
        created_at: '2026-11-20T10:00:00.123Z',
        text: `event ${index}`,
        ...data
      },
      includes: {
        users: [
          {
            id: '2244994945',
            name: 'Ünïcödé 🦜',
            username: 'parrot',
            public_metrics: { followers_count: 1, following_count: 2, tweet_count: 3 },
            ...user
          }
        ]
      }
    })
  const v1 = (index: number, tweet: object) =>
    `{"created_at":"Wed Oct 10 20:19:24 +0000 2018","id":${id(index)},"id_str":"${id(index)}",${JSON.stringify(
      {
        text: 'classic',
        source: '<a href="http://x.com">X</a>',
        user: {
          name: 'Old',
          screen_name: 'old',
          location: null,
          description: null,
          friends_count: 1,
          statuses_count: 2,
          followers_count: 3
        },
        retweet_count: 0,
        in_reply_to_user_id: null,
        in_reply_to_status_id: null,
        ...tweet
      }
    ).slice(1)}`
  const good = [
    v2(1, { text: 'emoji 👩‍👩‍👧‍👦 🇨🇭 and a \u0000 in the text' }),
    v2(2, { text: 'a line\nbreak, a \ttab, "quotes", a back\\slash and | a pipe' }),
    v2(3, { text: '' }, { description: null, location: null }),
    v2(4, {
      in_reply_to_user_id: '18446744073709551',
      referenced_tweets: [{ type: 'replied_to', id: id(1) }]
    }),
    v2(5, {
      referenced_tweets: [{ type: 'retweeted', id: id(2) }],
      public_metrics: { retweet_count: 2_147_483_647 }
    }),
    v2(6, { text: 'x'.repeat(900_000) }),
    v1(7, {}),
    v1(8, { retweeted_status: { id: 1, text: 'inner' } }),
    v1(9, { in_reply_to_user_id: 9_007_199_254_740_991, in_reply_to_status_id: 12 }),
    v2(10, { text: 'surrogates \ud83d\ude00 written as escapes' }).replace('\ud83d\ude00', '\\ud83d\\ude00'),
    v2(11, { source: null, lang: null, unknown: { deep: [[[[{ a: 1 }]]]] } })
  ]
  const bad = ['{"data":{"id":"1", "text":"cut off', 'not json at all', '{"data":{"text":"no id"}}']
  const lines = [...good.slice(0, 3), bad[0], ...good.slice(3, 7), bad[1], ...good.slice(7), bad[2]]
  return {
    text: `${lines.join('\n')}\n`,
    payloads: good,
    malformedLines: lines.flatMap((line, index) => (bad.includes(line ?? '') ? [index + 1] : []))
  }
}
