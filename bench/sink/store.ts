/** The embedded object store as a process of its own: folder, bucket, access key, secret. Prints its address; ends with its input. */
import { startObjectStore } from '../../src/embedded/object-store/object-store.ts'

const [dataDir = '', bucket = '', accessKeyId = '', secretAccessKey = ''] = process.argv.slice(2)
const store = await startObjectStore({
  ...{ dataDir, buckets: [bucket], region: 'us-east-1', accessKeyId, secretAccessKey }
})
console.log(`listening ${store.endpoint}`)
process.stdin.on('end', () => process.exit()).resume()
