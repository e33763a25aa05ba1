import { expect, test } from 'vitest'
import { ConfigFaults, parseConfig } from '../../src/config.ts'

const environment = {
  variable: () => 'postgres://u:p@h:5432/d',
  readText: () => '',
  absolute: (path: string) => path
}

const sinkWith = (keys: string, more = '') => `name = "n"
data_dir = "data"
[cluster.a]
brokers = ["a:9092"]
[store.s]
type = "s3"
bucket = "bucket"
[s3_sink.x]
cluster = "a"
topics = ["t"]
store = "s"
${keys}
${more}`

const formatOf = (keys: string) => parseConfig(sinkWith(keys), 'c.toml', environment).s3Sinks.x?.format

function faultsIn(content: string): string[] {
  try {
    parseConfig(content, 'c.toml', environment)
  } catch (error) {
    if (error instanceof ConfigFaults) return error.faults.map(({ key, problem }) => `${key} ${problem}`)
    throw error
  }
  return []
}

test('each format has a codec of its own when none is given', () => {
  expect(formatOf('')).toEqual({ type: 'parquet', codec: 'snappy' })
  expect(formatOf('format = "ndjson"')).toEqual({ type: 'ndjson', codec: 'gzip' })
  expect(formatOf('format = "text"')).toEqual({ type: 'text', codec: 'none' })
  expect(formatOf('format = "ndjson"\ncodec = "zstd"')).toEqual({ type: 'ndjson', codec: 'zstd' })
})

test('snappy is for Parquet, and only Parquet is loaded', () => {
  expect(faultsIn(sinkWith('format = "ndjson"\ncodec = "snappy"')).join()).toMatch('s3_sink.x.codec')
  const loader =
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own way to name a secret
    '[warehouse.w]\ndialect = "postgres"\nurl = "${env:URL}"\n[redshift_loader.l]\nfrom = "s3_sink.x"\nwarehouse = "w"'
  expect(faultsIn(sinkWith('', loader))).toEqual([])
  expect(faultsIn(sinkWith('format = "text"', loader)).join()).toMatch('redshift_loader.l.from')
})
