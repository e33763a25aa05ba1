// biome-ignore-all lint/style/noNonNullAssertion: the columns' tables have one length
import { Fault } from '../errors.ts'
import type { ColumnSpec } from './columns.ts'
import { DecimalReader } from './decimal.ts'
import { JsonScanner, kinds } from './json.ts'
import { setMoment, setText } from './json-columns.ts'
import { JsonPlan } from './json-plan.ts'
import { unescapeInto } from './json-string.ts'
import { Row } from './row.ts'
import { not, setInt32 } from './values.ts'

export type { ColumnAppender, ColumnSink, ColumnSpec, ColumnType } from './columns.ts'

/**
 * Tweets as rows. Read are the X API v1.1 (`id_str`, `user`, `retweeted_status` …), API v2 as its stream sends it
 * (`{"data": …, "includes": {"users": […]}}`) and a bare v2 tweet. In which order places are looked at, the table says.
 *
 * - What is missing or null is null; only a missing id is a reason to refuse the tweet.
 * - What is there but of a wrong type, or out of the column's range, refuses the whole tweet: a wrong value never
 *   appears, and a null always means that the sender said nothing. Ids may be digits or a string of digits, counts are
 *   numbers without fraction or exponent, everything else has the one type that the API documents.
 * - `is_retweet` is never null: neither API marks a tweet that is none.
 * - Text is kept as it was sent, U+0000 included; half a surrogate pair becomes U+FFFD.
 */

/** A value that does not fit refuses the tweet; text is kept as it is. */
const rules = { tooLong: 'dead_letter', nul: 'keep', onError: 'dead_letter' } as const

interface TweetColumn extends ColumnSpec {
  /** Where in the tweet: the first that is there and not null. */
  readonly tweet: readonly string[]
  /** Where in the author, of API v2, when the tweet itself does not say. */
  readonly author?: string
}

const id = { type: 'int64', nullable: true } as const
const count = { type: 'int32', nullable: true } as const
const text = { type: 'string', nullable: true } as const

const table: readonly TweetColumn[] = [
  { name: 'id', type: 'int64', nullable: false, tweet: ['/id_str', '/id'] },
  { name: 'text', ...text, tweet: ['/extended_tweet/full_text', '/note_tweet/text', '/full_text', '/text'] },
  { name: 'source', ...text, tweet: ['/source'] },
  { name: 'is_retweet', type: 'boolean', nullable: true, tweet: [] },
  { name: 'user_name', ...text, tweet: ['/user/name'], author: '/name' },
  { name: 'created_at', type: 'timestamp', nullable: true, tweet: ['/created_at'] },
  { name: 'retweet_count', ...count, tweet: ['/retweet_count', '/public_metrics/retweet_count'] },
  { name: 'user_location', ...text, tweet: ['/user/location'], author: '/location' },
  { name: 'in_reply_to_user_id', ...id, tweet: ['/in_reply_to_user_id_str', '/in_reply_to_user_id'] },
  { name: 'in_reply_to_status_id', ...id, tweet: ['/in_reply_to_status_id_str', '/in_reply_to_status_id'] },
  { name: 'user_screen_name', ...text, tweet: ['/user/screen_name'], author: '/username' },
  { name: 'user_description', ...text, tweet: ['/user/description'], author: '/description' },
  {
    name: 'friends_count',
    ...count,
    tweet: ['/user/friends_count'],
    author: '/public_metrics/following_count'
  },
  {
    name: 'statuses_count',
    ...count,
    tweet: ['/user/statuses_count'],
    author: '/public_metrics/tweet_count'
  },
  {
    name: 'followers_count',
    ...count,
    tweet: ['/user/followers_count'],
    author: '/public_metrics/followers_count'
  }
]

export const tweetColumns: readonly ColumnSpec[] = table.map(({ name, type, nullable }) => ({
  name,
  type,
  nullable
}))

/** By column: how it is read. Of a boolean no slot is looked at. */
const READERS = table.map(({ type }) => type)
const [IS_RETWEET, REPLY_TO] = ['is_retweet', 'in_reply_to_status_id'].map((name) =>
  table.findIndex((column) => column.name === name)
) as [number, number]

/** Members that must be objects, or arrays, when they are there. */
const objects = ['/user', '/extended_tweet', '/note_tweet', '/retweeted_status', '/public_metrics']
const arrays = ['/referenced_tweets']

/** The slots of one kind of tweet: at the top of the document, or in its `data`. */
interface Layout {
  /** By column, in the order of preference. */
  readonly columns: readonly (readonly number[])[]
  readonly objects: readonly number[]
  readonly arrays: readonly number[]
  readonly retweeted: number
  readonly references: number
  readonly authorId: number
}

/** Collects pointers as they are asked for. */
class Pointers {
  readonly list: string[] = []

  readonly slot = (pointer: string): number => {
    const known = this.list.indexOf(pointer)
    return known >= 0 ? known : this.list.push(pointer) - 1
  }

  layout(prefix: string): Layout {
    const slot = (pointer: string) => this.slot(prefix + pointer)
    return {
      columns: table.map((column) => column.tweet.map(slot)),
      objects: objects.map(slot),
      arrays: arrays.map(slot),
      retweeted: slot('/retweeted_status'),
      references: slot('/referenced_tweets'),
      authorId: slot('/author_id')
    }
  }
}

const tweetPointers = new Pointers()
const ROOT = tweetPointers.slot('')
const DATA = tweetPointers.slot('/data')
const USERS = tweetPointers.slot('/includes/users')
const layouts = { plain: tweetPointers.layout(''), enveloped: tweetPointers.layout('/data') }

const authorPointers = new Pointers()
const AUTHOR_ID = authorPointers.slot('/id')
const authorSlots = table.map(({ author }) => (author === undefined ? [] : [authorPointers.slot(author)]))
/** The author is nearly always the first of the included users: his slots then come with the first scan. */
const firstUser = { array: '/includes/users', pointers: authorPointers.list }
const inFirstUser = (slot: number) => tweetPointers.list.length + slot
const firstUserSlots = authorSlots.map((slots) => slots.map(inFirstUser))

const [REFERENCE_TYPE, REFERENCE_ID] = [0, 1] as const

const plans = {
  tweet: new JsonPlan(tweetPointers.list, firstUser),
  author: new JsonPlan(authorPointers.list),
  reference: new JsonPlan(['/type', '/id'])
}

/** Turns tweets into rows. One object, many tweets; not re-entrant. */
export class TweetExtractor {
  readonly row = new Row(table.map((column) => ({ ...column, ...rules })))
  readonly #tweet = new JsonScanner(plans.tweet)
  readonly #author = new JsonScanner(plans.author)
  readonly #reference = new JsonScanner(plans.reference)
  readonly #decimal = new DecimalReader()
  #document: Buffer = Buffer.alloc(0)

  /** Reads the tweet in `[start, end)`, or says why it is none. Its row lasts until the next `read`, as its bytes must. */
  read(buffer: Buffer, start: number, end: number): string | undefined {
    this.#document = buffer
    this.row.clear()
    const malformed = this.#tweet.scan(buffer, start, end)
    if (malformed !== undefined) return malformed
    const found = this.#tweet.kinds
    if (found[ROOT] !== kinds.object) return 'not an object'
    const layout = found[DATA] === kinds.object ? layouts.enveloped : layouts.plain
    return (
      this.#checkShape(layout) ??
      this.#readReferences(layout) ??
      this.#readAuthor(layout) ??
      this.#readColumns(this.#tweet, layout.columns) ??
      this.row.missing()
    )
  }

  #checkShape(layout: Layout): string | undefined {
    const found = this.#tweet.kinds
    for (const slot of layout.objects) {
      if (found[slot]! > kinds.null && found[slot] !== kinds.object)
        return `${tweetPointers.list[slot]} is not an object`
    }
    for (const slot of layout.arrays) {
      if (found[slot]! > kinds.null && found[slot] !== kinds.array)
        return `${tweetPointers.list[slot]} is not an array`
    }
    return undefined
  }

  /** `is_retweet`, and in API v2 which tweet is replied to. */
  #readReferences(layout: Layout): string | undefined {
    const { kinds: found, starts, ends } = this.#tweet
    let retweet = found[layout.retweeted] === kinds.object
    let reason: string | undefined
    if (found[layout.references] === kinds.array) {
      const reference = this.#reference
      reference.some(this.#document, starts[layout.references]!, ends[layout.references]!, () => {
        if (this.#is(reference, REFERENCE_TYPE, RETWEETED)) retweet = true
        if (this.#is(reference, REFERENCE_TYPE, REPLIED_TO)) {
          reason ??= this.#readId(REPLY_TO, reference, REFERENCE_ID)
        }
        return false
      })
    }
    this.row.setBoolean(IS_RETWEET, retweet)
    return reason
  }

  /** The author's columns, from the included user with the tweet's `author_id`. */
  #readAuthor(layout: Layout): string | undefined {
    const { kinds: found, starts, ends } = this.#tweet
    if (layout !== layouts.enveloped || found[layout.authorId]! <= kinds.null) return undefined
    if (!this.#isId(this.#tweet, layout.authorId)) return 'author_id is not a 64-bit integer'
    if (found[USERS]! <= kinds.null) return undefined
    if (found[USERS] !== kinds.array) return '/includes/users is not an array'
    const { high, low } = this.#decimal
    const isAuthor = (scanner: JsonScanner, slot: number) =>
      this.#isId(scanner, slot) && this.#decimal.high === high && this.#decimal.low === low
    if (isAuthor(this.#tweet, inFirstUser(AUTHOR_ID))) return this.#readColumns(this.#tweet, firstUserSlots)
    const author = this.#author
    const included = author.some(this.#document, starts[USERS]!, ends[USERS]!, () =>
      isAuthor(author, AUTHOR_ID)
    )
    return included ? this.#readColumns(author, authorSlots) : undefined
  }

  /**
   * Reads the columns for which one of their slots has a value; those without stay as they are. Here iterators and small arrays were
   * a third of the garbage of a sink.
   */
  #readColumns(scanner: JsonScanner, slots: readonly (readonly number[])[]): string | undefined {
    let reason: string | undefined
    for (let column = 0; column < READERS.length && reason === undefined; column++) {
      const slot = firstPresent(scanner, slots[column]!)
      if (slot < 0) continue
      switch (READERS[column]) {
        case 'string':
          reason = this.#readText(column, scanner, slot)
          break
        case 'int64':
          reason = this.#readId(column, scanner, slot)
          break
        case 'int32':
          reason = this.#readCount(column, scanner, slot)
          break
        default:
          reason = this.#readTime(column, scanner, slot)
      }
    }
    return reason
  }

  #readText(column: number, scanner: JsonScanner, slot: number): string | undefined {
    const start = scanner.starts[slot]!
    return setText(this.row, column, scanner.kinds[slot]!, this.#document, start, scanner.ends[slot]!)
  }

  #readId(column: number, scanner: JsonScanner, slot: number): string | undefined {
    if (!this.#isId(scanner, slot)) return this.row.refuse(column, not.int64)
    this.row.setInt64(column, this.#decimal.high, this.#decimal.low)
    return undefined
  }

  #readCount(column: number, scanner: JsonScanner, slot: number): string | undefined {
    if (scanner.kinds[slot] !== kinds.number) return this.row.refuse(column, not.int32)
    return setInt32(this.row, column, this.#document, scanner.starts[slot]!, scanner.ends[slot]!)
  }

  #readTime(column: number, scanner: JsonScanner, slot: number): string | undefined {
    const start = scanner.starts[slot]!
    return setMoment(
      this.row,
      column,
      'text',
      scanner.kinds[slot]!,
      this.#document,
      start,
      scanner.ends[slot]!
    )
  }

  /** Reads a number or a string of digits to `#decimal`. */
  #isId(scanner: JsonScanner, slot: number): boolean {
    const kind = scanner.kinds[slot]
    if (kind !== kinds.number && kind !== kinds.text) return false
    return this.#decimal.read(this.#document, scanner.starts[slot]!, scanner.ends[slot]!)
  }

  #is(scanner: JsonScanner, slot: number, word: Buffer): boolean {
    const [start, end] = [scanner.starts[slot]!, scanner.ends[slot]!]
    if (scanner.kinds[slot] === kinds.text) return word.compare(this.#document, start, end) === 0
    if (scanner.kinds[slot] !== kinds.escaped) return false
    const plain = Buffer.alloc(end - start)
    return word.compare(plain, 0, unescapeInto(this.#document, start, end, plain, 0)) === 0
  }
}

const RETWEETED = Buffer.from('retweeted')
const REPLIED_TO = Buffer.from('replied_to')

const idPlan = new JsonPlan(['', '/data', '/id_str', '/id', '/data/id_str', '/data/id'])
const idScanner = new JsonScanner(idPlan)
const idDecimal = new DecimalReader()

/**
 * The id of a tweet, as its decimal digits, after the whole document has been checked to be JSON. A Fault
 * `event-invalid` says why there is none; its message holds nothing of the document.
 */
export function eventId(json: Buffer): string | Fault {
  const malformed = idScanner.scan(json, 0, json.length)
  if (malformed !== undefined) return new Fault('event-invalid', malformed)
  const { kinds: found, starts, ends } = idScanner
  if (found[0] !== kinds.object) return new Fault('event-invalid', 'not an object')
  const slot = firstPresent(idScanner, found[1] === kinds.object ? [4, 5] : [2, 3])
  if (slot < 0) return new Fault('event-invalid', 'id is missing')
  const [start, end] = [starts[slot]!, ends[slot]!]
  if ((found[slot] === kinds.number || found[slot] === kinds.text) && idDecimal.read(json, start, end)) {
    return json.toString('latin1', start, end)
  }
  return new Fault('event-invalid', 'id is not a 64-bit integer')
}

function firstPresent(scanner: JsonScanner, slots: readonly number[]): number {
  for (let index = 0; index < slots.length; index++) {
    const slot = slots[index]!
    if (scanner.kinds[slot]! > kinds.null) return slot
  }
  return -1
}
