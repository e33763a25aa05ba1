/** A made-up event of the X API v2 stream: `json` is `{"data":{…},"includes":{"users":[…]}}`, on one line. */
export interface Tweet {
  /** Decimal digits; above 2^53, ascending with the index. */
  readonly id: string
  readonly text: string
  readonly json: string
}

/**
 * The event number `index` of `seed`, always the same. About 640 bytes of JSON on average; index 0 was posted at
 * `2024-01-01T00:00:00Z`, each next one 25 ms later. Every text contains at least one of the keywords `hadoop`,
 * `"big data"`, `kafka` and `cloud`. Some are retweets or replies; texts, names and descriptions have emoji, quotes,
 * backslashes, newlines and several scripts; location and description are absent for some users.
 */
export function tweetAt(seed: number, index: number): Tweet {
  const random = randomOf(seed, index)
  const postedMs = FIRST_MS + index * STEP_MS
  const id = snowflake(postedMs, random())
  const author = userAt(seed, random() % USERS)
  const other = userAt(seed, random() % USERS)
  const [retweet, reply] = oneOf(random() % 10)
  const said = textOf(random)
  const text = retweet ? `RT @${other.username}: ${said}` : reply ? `@${other.username} ${said}` : said
  const referenced = () => snowflake(postedMs - 1 - (random() % 86_400_000), random())
  const data = [
    `"author_id":"${author.id}","created_at":"${new Date(postedMs).toISOString()}"`,
    `"edit_history_tweet_ids":["${id}"],"id":"${id}"`,
    ...(reply ? [`"in_reply_to_user_id":"${other.id}"`] : []),
    `"lang":"en","public_metrics":${metricsOf(random, retweet)}`,
    ...(retweet ? [`"referenced_tweets":[{"type":"retweeted","id":"${referenced()}"}]`] : []),
    ...(reply ? [`"referenced_tweets":[{"type":"replied_to","id":"${referenced()}"}]`] : []),
    `"source":"${pick(sources, random())}","text":${JSON.stringify(text)}`
  ]
  const users = reply ? `${author.json},${other.json}` : author.json
  return { id, text, json: `{"data":{${data.join(',')}},"includes":{"users":[${users}]}}` }
}

const FIRST_MS = Date.UTC(2024, 0, 1)
const STEP_MS = 25
const USERS = 5000
const TWITTER_EPOCH_MS = 1_288_834_974_657

const sources = [
  'Twitter for iPhone',
  'Twitter for Android',
  'Twitter Web App',
  'TweetDeck',
  'Hootsuite Inc.'
]

const subjects = [
  ...['hadoop', 'Hadoop', '#hadoop', 'the HADOOP cluster', 'Hadoop 3.4'],
  ...['big data', 'Big Data', '“big data”', 'BIG DATA pipelines'],
  ...['kafka', 'Apache Kafka', '#Kafka', 'kafka-connect'],
  ...['cloud', 'the hybrid cloud', 'Cloud/on-prem', '#cloud']
]

const openings = [
  'Moving',
  'Just learned about',
  'Why we still run',
  'Hot take:',
  'Day 3 with',
  'Has anyone benchmarked',
  '今日は',
  'Nous migrons vers',
  'Größere Pläne mit',
  'Thread 🧵 on',
  'Debugging'
]

const middles = [
  'in production 🚀',
  'and it just works 🎉',
  '\n\nStep 1: measure\nStep 2: tune',
  'said "never again" – then did it again',
  'on a C:\\temp budget',
  'with 100% exactly-once delivery ✅',
  'для аналитики',
  'for real-time analytics 📈',
  'at 2am… 👩🏽‍💻☕',
  '<b>fast</b> & cheap',
  'और तेज़'
]

const endings = [
  '',
  ' https://t.co/a1B2c3D4e5',
  ' #dataengineering',
  ' #DevOps #ETL',
  ' 🌊🌊',
  '\n',
  ' cc @acme',
  ' 1/7'
]

const names = [
  'Ana',
  'Bo',
  'Chloé',
  'Dmitri',
  'Eun-ji',
  '李雷',
  'Fatima',
  'José',
  'Zoë 🌱',
  "O'Neil",
  'Mx "Q"',
  'Anaïs'
]
const trades = [
  'data engineer',
  'SRE',
  'DBA (retired)',
  'founder & CEO',
  'student',
  'climber',
  '技術者',
  'coffee ☕'
]
const places = [
  'Berlin',
  'São Paulo',
  '東京',
  'Austin, TX',
  'Île-de-France',
  'Nairobi 🇰🇪',
  'the cloud ☁️',
  'Zürich'
]

interface User {
  readonly id: string
  readonly username: string
  readonly json: string
}

/** The users of the seed asked for last. */
const known = { seed: Number.NaN, users: [] as (User | undefined)[] }

function userAt(seed: number, number: number): User {
  if (known.seed !== seed) Object.assign(known, { seed, users: [] })
  const user = known.users[number] ?? newUser(seed, number)
  known.users[number] = user
  return user
}

function newUser(seed: number, number: number): User {
  const random = randomOf(seed ^ 0x75736572, number)
  const [hasDescription, hasLocation] = [random() % 10 !== 0, random() % 4 !== 0]
  const trade = `${pick(trades, random())}, ${pick(trades, random())}.`
  const id = String(100_000_000 + number * 7919 + (seed % 7919))
  const username = `user_${number.toString(36)}`
  const json = JSON.stringify({
    ...(hasDescription ? { description: random() % 8 === 0 ? `${trade}\nViews are my own` : trade } : {}),
    id,
    ...(hasLocation ? { location: pick(places, random()) } : {}),
    name: `${pick(names, random())} ${String.fromCharCode(65 + (random() % 26))}.`,
    public_metrics: {
      followers_count: random() % 20_000,
      following_count: random() % 2000,
      listed_count: random() % 40,
      tweet_count: random() % 90_000
    },
    username
  })
  return { id, username, json }
}

/** A tenth are retweets, a tenth replies. */
function oneOf(kind: number): readonly [retweet: boolean, reply: boolean] {
  return [kind === 0, kind === 1]
}

function metricsOf(random: () => number, retweet: boolean): string {
  const retweets = retweet ? 1 + (random() % 5000) : random() % 50
  return `{"retweet_count":${retweets},"reply_count":${random() % 20},"like_count":${random() % 300},"quote_count":${random() % 5}}`
}

function textOf(random: () => number): string {
  return `${pick(openings, random())} ${pick(subjects, random())} ${pick(middles, random())}${pick(endings, random())}`
}

function pick(list: readonly string[], random: number): string {
  return list[random % list.length] ?? ''
}

/** X's ids: milliseconds since its epoch, then 22 bits that tell apart what happened within one. */
function snowflake(ms: number, random: number): string {
  return String((BigInt(ms - TWITTER_EPOCH_MS) << 22n) | BigInt(random & 0x3fffff))
}

/** Uniform unsigned 32-bit numbers, fixed by the seed and the index (mulberry32 after two rounds of mixing). */
function randomOf(seed: number, index: number): () => number {
  let state = mix(mix(seed >>> 0) ^ mix(index >>> 0) ^ Math.floor(index / 2 ** 32))
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    return mix(state)
  }
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
