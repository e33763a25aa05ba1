/**
 * A plain mirror on kafkajs' own consumer and producer, batch by batch, at least once. kafkajs brings gzip only: zstd comes
 * from Node's zlib, lz4 from Causeway's codec.
 *
 * Arguments: source, target, topic, codec (none, lz4, zstd), group.
 */
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs from 'kafkajs'
import { compress, decompress } from '../../../src/records/codecs.ts'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs
const [source = '', target = '', topic = '', codec = 'none', groupId = ''] = process.argv.slice(2)
const [zip, unzip] = [promisify(zstdCompress), promisify(zstdDecompress)]
const level = { params: { [constants.ZSTD_c_compressionLevel]: 3 } }

CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: ({ buffer }: { buffer: Buffer }) => zip(buffer, level),
  decompress: unzip
})
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async ({ buffer }: { buffer: Buffer }) => compress(3, buffer),
  decompress: async (buffer: Buffer) => decompress(3, buffer)
})
const types: Readonly<Record<string, kafkajs.CompressionTypes>> = {
  none: CompressionTypes.None,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD
}
/** 640 kB of tweets. */
const SENT_RECORDS = 1_000
const compression = types[codec] ?? CompressionTypes.None

const consumer = new Kafka({ brokers: [source], logLevel: logLevel.ERROR }).consumer({
  groupId,
  readUncommitted: false,
  maxBytes: 16 * 1_024 * 1_024,
  maxBytesPerPartition: 4 * 1_024 * 1_024,
  maxWaitTimeInMs: 100
})
const producer = new Kafka({ brokers: [target], logLevel: logLevel.ERROR }).producer({
  maxInFlightRequests: 5
})
await Promise.all([consumer.connect(), producer.connect()])
await consumer.subscribe({ topics: [topic], fromBeginning: true })
await consumer.run({
  partitionsConsumedConcurrently: 4,
  eachBatch: async ({ batch }) => {
    const messages = batch.messages.map(({ key, value, timestamp, headers }) => {
      return { key, value, timestamp, partition: batch.partition, ...(headers && { headers }) }
    })
    // kafkajs makes one batch of what it is given at once, and brokers take a batch up to 1 MiB.
    for (let at = 0; at < messages.length; at += SENT_RECORDS) {
      await producer.send({ topic, acks: -1, compression, messages: messages.slice(at, at + SENT_RECORDS) })
    }
  }
})
process.once('SIGTERM', async () => {
  await consumer.disconnect()
  await producer.disconnect()
  process.exit()
})
