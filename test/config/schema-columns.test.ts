import { expect, test } from 'vitest'
import { ConfigFaults, parseConfig, type SinkConfig } from '../../src/config.ts'

const environment = { variable: () => 'sesame', readText: () => '', absolute: (path: string) => path }
const HEAD = `name = "n"
data_dir = "d"
cluster = { a = { brokers = ["a:1"] } }
store = { h = { type = "hdfs", namenodes = ["http://h:1"], path = "/p" }, s = { type = "s3", bucket = "bucket", region = "r" } }
`

/** A sink with these keys, in an HDFS store and in an S3 store. */
function sinksOf(keys: string): readonly (SinkConfig | undefined)[] {
  const sink = (kind: string, store: string) =>
    `[${kind}.x]\ncluster = "a"\ntopics = ["t"]\nstore = "${store}"\n${keys}\n`
  const config = parseConfig(`${HEAD}${sink('hdfs_sink', 'h')}${sink('s3_sink', 's')}`, 'c.toml', environment)
  return [config.hdfsSinks.x, config.s3Sinks.x]
}

function faultsOf(keys: string): string[] {
  try {
    sinksOf(keys)
    return []
  } catch (error) {
    if (!(error instanceof ConfigFaults)) throw error
    return error.faults.flatMap(({ key, problem }) => (key.startsWith('s3') ? [`${key} ${problem}`] : []))
  }
}

const columns = (...tables: readonly string[]) =>
  `columns = [${tables.map((each) => `{ ${each} }`).join(', ')}]`
const text = 'name = "text", pointer = "/text", type = "string"'

test('without a word rows are tweets, with all columns', () => {
  for (const sink of sinksOf('')) {
    expect(sink).toMatchObject({ preset: 'tweet', lineage: true })
    expect(sink).not.toHaveProperty('values')
    expect(sink).not.toHaveProperty('where')
  }
})

test('columns have rules, and text in S3 is as long as a VARCHAR', () => {
  const [hdfs, s3] = sinksOf(columns(text, 'name = "id", pointer = "/id", type = "int64", nullable = false'))
  const rules = {
    nullable: true,
    tooLong: 'dead_letter',
    nul: 'keep',
    onError: 'dead_letter',
    timestamp: 'text'
  }
  const first = { name: 'text', pointer: '/text', type: 'string', ...rules }
  const second = { name: 'id', pointer: '/id', type: 'int64', ...rules, nullable: false }
  expect(hdfs?.values).toEqual({ format: 'json', columns: [first, second] })
  expect(s3?.values).toEqual({ format: 'json', columns: [{ ...first, bytesMax: 65_535 }, second] })
  expect(sinksOf(columns(`${text}, bytes_max = 10`))[1]?.values?.columns[0]?.bytesMax).toBe(10)
})

test('values are read as JSON, as CSV, or by a registry', () => {
  const csv = `value = "csv"\ncsv = { delimiter = "|", header = ["text"] }\n${columns(text)}`
  expect(sinksOf(csv)[0]?.values).toMatchObject({ format: 'csv', delimiter: '|', header: ['text'] })
  const avro = `value = "avro"\nregistry = { url = "http://r/", user = "u", password = "\${env:P}" }\n${columns(text)}`
  const values = sinksOf(avro)[0]?.values
  expect(values).toMatchObject({ format: 'avro', registry: { url: 'http://r', user: 'u' } })
  expect(JSON.stringify(values)).not.toContain('sesame')
})

test.each<[string, string, string]>([
  ['one name twice', columns(text, text), 'columns[1].name'],
  ['names that differ by case alone', columns(text, text.replace('text', 'Text')), 'columns[1].name'],
  ['a name of lineage', columns(text.replace('text', '_offset')), 'columns[0].name'],
  ['a name with a line break', columns(text.replace('text', 'te\\nxt')), 'columns[0].name'],
  ['no name', columns(text.replace('text', '')), 'columns[0].name'],
  ['no pointer', columns(text.replace('/text', 'text')), 'columns[0].pointer'],
  ['a pointer with half an escape', columns(text.replace('/text', '/te~xt')), 'columns[0].pointer'],
  ['a type that does not exist', columns(text.replace('string', 'varchar')), 'columns[0].type'],
  [
    'null where there must be a value',
    columns(`${text}, nullable = false, on_error = "null"`),
    'columns[0].on_error'
  ],
  [
    'JSON that is cut',
    columns(`${text.replace('string', 'json')}, too_long = "truncate"`),
    'columns[0].too_long'
  ],
  ['no columns', 'columns = []', 'columns'],
  ['a preset beside columns', `preset = "tweet"\n${columns(text)}`, 'preset'],
  ['a format without columns', 'value = "csv"', 'value'],
  ['a registry for JSON', `registry = { url = "http://r" }\n${columns(text)}`, 'registry'],
  ['no registry for Avro', `value = "avro"\n${columns(text)}`, 'registry'],
  [
    'a user without a password',
    `value = "avro"\nregistry = { url = "http://r", user = "u" }\n${columns(text)}`,
    'registry'
  ],
  [
    'a field that the header lacks',
    `value = "csv"\ncsv = { header = ["other"] }\n${columns(text)}`,
    'columns[0].pointer'
  ],
  ['a field by name without a header', `value = "csv"\n${columns(text)}`, 'columns[0].pointer'],
  [
    'a quote as delimiter',
    `value = "csv"\ncsv = { delimiter = '"' }\n${columns(text.replace('/text', '/0'))}`,
    'csv.delimiter'
  ],
  ['a filter that is none', 'where = "value.id >"', 'where'],
  [
    'a filter over values that are no JSON',
    `where = "value.id > 1"\nvalue = "csv"\n${columns(text.replace('/text', '/0'))}`,
    'where'
  ],
  ['a column that is selected and does not exist', 'select = ["id", "nothing"]', 'select[1]'],
  ['a column that is selected twice', 'select = ["id", "id"]', 'select[1]'],
  ['a directory of no column of tweets', 'template = "source={sources}"', 'template'],
  [
    'a directory of what raw records lack',
    'preset = "raw"\ntemplate = "o={offset}/source={source}"',
    'template'
  ],
  ['a directory of bytes', 'preset = "raw"\ntemplate = "k={key}"', 'template'],
  [
    'a directory of a column that is not selected',
    'select = ["id"]\ntemplate = "source={source}"',
    'template'
  ],
  ['a directory of no column of JSON', `template = "t={txt}"\n${columns(text)}`, 'template'],
  ['a directory of lineage that is off', 'lineage = false\ntemplate = "o={_offset}"', 'template'],
  [
    'a directory of no column of CSV',
    `template = "t={0}"\nvalue = "csv"\n${columns(text.replace('/text', '/0'))}`,
    'template'
  ],
  ['a hidden directory', 'template = "a/_b"', 'template'],
  ['a time of no column', 'time_column = "created"', 'time_column'],
  ['a time that is text', `time_column = "text"\n${columns(text)}`, 'time_column'],
  ['a window around no time', 'time_window = { past = "1d", future = "1h" }', 'time_window']
])('refused: %s', (_what, keys, place) => {
  expect(faultsOf(keys)).toEqual([expect.stringContaining(`s3_sink.x.${place} `)])
})

test('an unknown column of directories is told with the nearest that there is', () => {
  expect(faultsOf('template = "source={sources}"\ntime_column = "created"')).toEqual([
    expect.stringMatching(
      /template = "source=\{sources\}" is not allowed; .*"sources" is not \(nearest: "source"\)$/
    ),
    expect.stringMatching(/time_column = "created" is not allowed; .*timestamp \(nearest: "created_at"\)$/)
  ])
})

test('directories are of columns of the files, of JSON, CSV, raw records and tweets alike', () => {
  const at = 'name = "at", pointer = "/1", type = "timestamp"'
  const own = columns(text.replace('/text', '/0'), at)
  const timed = 'template = "d={date}/t={text}/p={_partition}"\ntime_column = "at"'
  expect(faultsOf(`${timed}\n${own}`)).toEqual([])
  expect(faultsOf(`value = "csv"\n${timed}\n${own}`)).toEqual([])
  expect(faultsOf('preset = "raw"\ntemplate = "d={date}/o={offset}"\ntime_column = "timestamp"')).toEqual([])
  expect(
    faultsOf('select = ["source"]\ntemplate = "d={date}/source={source}"\ntime_column = "_timestamp"')
  ).toEqual([])
})

test('names that need quoting are taken', () => {
  const quoted = 'name = "a \\"b\\" `c`, .é", pointer = "/a~1b", type = "string"'
  expect(sinksOf(columns(quoted))[0]?.values?.columns[0]?.name).toBe('a "b" `c`, .é')
})
