import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { causeway } from '../support/command-line.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-sink-command-'))
  const lines = [
    'name = "hybrid"\ndata_dir = "data"\n[cluster.a]\nbrokers = ["127.0.0.1:1"]',
    '[store.lake]\ntype = "hdfs"\nnamenodes = ["http://127.0.0.1:1"]\npath = "/lake"',
    '[hdfs_sink.raw]\ncluster = "a"\ntopics = ["x"]\nstore = "lake"\n'
  ]
  writeFileSync(join(directory, 'c.toml'), lines.join('\n'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const rewind = (...args: readonly string[]) =>
  causeway(directory, 'sink', 'rewind', '--config', 'c.toml', '--topic', 'x', ...args)

test('a rewind of a sink or to an offset that there cannot be is a mistake of the arguments', async () => {
  const unknown = await rewind('--sink', 's3_sink.raw', '--to', 'earliest')
  expect(unknown).toMatchObject({ exitCode: 2, err: expect.stringContaining('no [s3_sink.raw]') })
  for (const to of ['-1', 'yesterday', '1e3']) {
    expect(await rewind('--sink', 'hdfs_sink.raw', '--to', to)).toMatchObject({ exitCode: 2 })
  }
  expect(await rewind('--sink', 'hdfs_sink.raw')).toMatchObject({ exitCode: 2 })
})
