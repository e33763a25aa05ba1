/**
 * The program one writes first: kafkajs' consumer, `JSON.parse`, parquetjs-lite's writer, a file on the local disk.
 *
 * Arguments: broker, topic, number of records, folder, group. Prints `done 1`, and ends with its input.
 */
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import kafkajs from 'kafkajs'
import parquet from 'parquetjs-lite'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs
const [broker = '', topic = '', count = '0', folder = '', groupId = ''] = process.argv.slice(2)
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: () => Promise.reject(new Error('it writes nothing to Kafka')),
  decompress: promisify(zstdDecompress)
})

const text = { type: 'UTF8', optional: true, compression: 'SNAPPY' }
const number = { type: 'INT32', optional: true, compression: 'SNAPPY' }
const schema = new parquet.ParquetSchema({
  // Its INT64 changes ids above 2^53, as JSON.parse does, so ids stay text.
  id: { type: 'UTF8', compression: 'SNAPPY' },
  ...{ text, source: text },
  is_retweet: { type: 'BOOLEAN' },
  user_name: text,
  created_at: { type: 'TIMESTAMP_MILLIS', compression: 'SNAPPY' },
  retweet_count: number,
  ...{ user_location: text, in_reply_to_user_id: text, in_reply_to_status_id: text },
  ...{ user_screen_name: text, user_description: text },
  ...{ friends_count: number, statuses_count: number, followers_count: number }
})

const writer = await parquet.ParquetWriter.openFile(schema, `${folder}/naive.parquet`)
const consumer = new Kafka({ brokers: [broker], logLevel: logLevel.ERROR }).consumer({ groupId })
await consumer.connect()
await consumer.subscribe({ topics: [topic], fromBeginning: true })
let rows = 0
await consumer.run({
  eachMessage: async ({ message }) => {
    const tweet = JSON.parse(String(message.value))
    await writer.appendRow({
      ...{ id: tweet.id_str, text: tweet.text, source: tweet.source },
      is_retweet: tweet.retweeted_status !== undefined,
      user_name: tweet.user.name,
      created_at: new Date(tweet.created_at),
      retweet_count: tweet.retweet_count,
      user_location: tweet.user.location,
      in_reply_to_user_id: tweet.in_reply_to_user_id_str,
      in_reply_to_status_id: tweet.in_reply_to_status_id_str,
      user_screen_name: tweet.user.screen_name,
      user_description: tweet.user.description,
      friends_count: tweet.user.friends_count,
      statuses_count: tweet.user.statuses_count,
      followers_count: tweet.user.followers_count
    })
    if (++rows < Number(count)) return
    await writer.close()
    console.log('done 1')
  }
})
process.stdin.on('end', () => process.exit()).resume()
