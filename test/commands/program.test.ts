import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseRoles } from '../../src/commands/run.ts'
import { causeway as run } from '../support/command-line.ts'

const cwd = mkdtempSync(join(tmpdir(), 'causeway-program-'))
writeFileSync(
  join(cwd, 'good.toml'),
  'name = "n"\ndata_dir = "d"\n[cluster.a]\nbrokers = ["a:1"]\n[cluster.b]\nbrokers = ["b:1"]\n[mirror.m]\nfrom = "a"\nto = "b"\n'
)
writeFileSync(join(cwd, 'bad.toml'), 'nam = "n"\n[http]\ntoken = "hunter2"\n')
writeFileSync(join(cwd, 'empty.toml'), 'name = "n"\ndata_dir = "d"\n')
writeFileSync(join(cwd, 'file'), '')
writeFileSync(
  join(cwd, 'blocked.toml'),
  `name = "n"\ndata_dir = "file/d"\n[cluster.a]\nbrokers = ["a:1"]\n[cluster.b]\nbrokers = ["b:1"]\n[mirror.m]\nfrom = "a"\nto = "b"\n`
)

const causeway = (...args: readonly string[]) => run(cwd, ...args)

test('version and help go to standard output', async () => {
  expect(await causeway('--version')).toEqual({ exitCode: 0, out: '1.2.3', err: '' })
  const help = await causeway('--help')
  expect(help).toMatchObject({ exitCode: 0, err: '' })
  for (const verb of ['run', 'check-config', 'demo', 'mirror']) expect(help.out).toContain(verb)
  const verb = await causeway('run', '--help')
  expect(verb.exitCode).toBe(0)
  expect(verb.out.replaceAll(/\s+/g, ' ')).toContain(
    'ingest, mirror, hdfs-sink, s3-sink, redshift-loader, all'
  )
})

test.each([
  [['--config', 'good.toml'], 'causeway: --role is missing; allowed: ingest, mirror'],
  [['--role', 'mirror'], 'causeway: --config is missing; it names the TOML config file'],
  [
    ['--role', 'mirrors', '--config', 'good.toml'],
    'causeway: --role "mirrors" is no role; allowed: ingest, mirror, hdfs-sink, s3-sink, redshift-loader, all'
  ],
  [
    ['run', '--role', 'ingest', '--config', 'good.toml'],
    'causeway: --role ingest: the config has no [ingest.NAME]'
  ],
  [['--role', 'all', '--config', 'empty.toml'], 'causeway: the config names no role: it has nothing to run'],
  [
    ['--role', 'all', '--config', 'none.toml'],
    `causeway: cannot read the config ${join(cwd, 'none.toml')}: there is no such file`
  ],
  [['--role', 'all', '--config', '.'], `causeway: cannot read the config ${cwd}: it is a directory`],
  [
    ['--role', 'all', '--config', 'blocked.toml'],
    `causeway: data directory ${join(cwd, 'file', 'd')} cannot be written: `
  ],
  [
    ['offsets', 'translate', '--config', 'good.toml', '--mirror', 'x', '--group', 'g'],
    'causeway: the config has no [mirror.x]'
  ],
  [
    ['offsets', 'translate', '--config', 'good.toml', '--mirror', 'm'],
    "causeway: required option '--group <group>' not specified"
  ],
  [['--rle', 'all'], "causeway: unknown option '--rle'"],
  [['fly'], 'causeway: there is no command "fly"; see --help'],
  [['check-config'], "causeway: missing required argument 'file'"],
  [
    ['mirror', 'reshard', '--config', 'good.toml'],
    "causeway: required option '--mirror <name>' not specified"
  ],
  [
    ['mirror', 'reshard', '--config', 'good.toml', '--mirror', 'm', '--shards', '0'],
    "causeway: option '--shards <n>' argument '0' is invalid. Allowed: a whole number from 1 to 1024."
  ],
  [
    ['mirror', 'handback', '--config', 'good.toml', '--mirror', 'x'],
    'causeway: the config has no [mirror.x]'
  ],
  [['mirror', 'takeover', '--config', 'good.toml', '--mirror', 'm'], 'causeway: [mirror.m] has no take_over']
])('%j is told in one line and ends with 2', async (args, line) => {
  const { exitCode, out, err } = await causeway(...args)
  expect(err.split('\n')[0]).toContain(line)
  expect(err).not.toMatch(/\n\s+at /)
  expect(err.split('\n')).toHaveLength(1)
  expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
})

test('check-config tells the roles of a good config and every fault of a bad one', async () => {
  expect(await causeway('check-config', 'good.toml')).toEqual({
    exitCode: 0,
    out: 'good.toml is valid; roles: mirror.m',
    err: ''
  })
  const bad = await causeway('check-config', 'bad.toml')
  expect(bad).toMatchObject({ exitCode: 2, out: '' })
  expect(bad.err.split('\n')).toEqual([
    expect.stringMatching(/^causeway: .*bad\.toml: name is missing/),
    expect.stringMatching(/^causeway: .*bad\.toml: data_dir is missing/),
    expect.stringMatching(/^causeway: .*bad\.toml: http\.token \(its value is not shown\)/),
    expect.stringMatching(/^causeway: .*bad\.toml: nam is not a known key; did you mean "name"\?$/)
  ])
  expect(bad.err).not.toContain('hunter2')
})

test('roles are a list in any order, or all', () => {
  expect(parseRoles('mirror, ingest')).toEqual(['mirror', 'ingest'])
  expect(parseRoles('mirror,all')).toBe('all')
  expect(() => parseRoles('')).toThrow(/"" is no role/)
  expect(() => parseRoles('mirror,')).toThrow(/"" is no role/)
})
