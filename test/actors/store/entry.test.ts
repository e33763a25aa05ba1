import { expect, test } from 'vitest'
import {
  type Entry,
  parseEntry,
  parseGenesis,
  parseHead,
  serialize
} from '../../../src/actors/store/entry.ts'

const entry: Entry = {
  version: 1,
  type: 'entry',
  chain: 'a.b/t/id-g1/0',
  from: 0,
  to: 10,
  reason: null,
  counts: { read: 9, kept: 8, filtered: 0, dead: 1 },
  leaderEpoch: 4,
  schema: 's',
  config: 'c',
  encoder: 'e',
  nonce: 'n',
  committedAt: '2026-01-02T03:04:05.678Z',
  files: [
    {
      kind: 'data',
      path: 'data/a.b/t/x.parquet',
      bytes: 100,
      records: 8,
      minEventTime: '2026-01-02T03:04:05.678Z',
      maxEventTime: '2026-01-02T03:04:05.678Z',
      sha256: '0'.repeat(64),
      preparation: { type: 'rename', temporary: 'data/a.b/t/.x' }
    },
    {
      kind: 'dead',
      path: 'dead/a.b/t/x.ndjson',
      bytes: 10,
      records: 1,
      minEventTime: null,
      maxEventTime: null,
      sha256: 'a'.repeat(64),
      preparation: {
        type: 'multipart',
        key: 'k',
        uploadId: 'u',
        checksumAlgorithm: 'SHA256',
        parts: [{ partNumber: 1, etag: '"e"', checksum: 'c', bytes: 10 }]
      }
    }
  ]
}

test('records come back as they were written', () => {
  expect(parseEntry(serialize(entry), 'p')).toEqual(entry)
  const closed = {
    version: 1 as const,
    type: 'closed' as const,
    chain: 'c',
    from: 10,
    closed: 2,
    nonce: 'n',
    committedAt: entry.committedAt
  }
  expect(parseEntry(serialize(closed), 'p')).toEqual(closed)
})

test('an unknown field is ignored, an unknown version is refused', () => {
  expect(parseEntry(Buffer.from(JSON.stringify({ ...entry, later: 1 })), 'p')).toEqual(entry)
  expect(() => parseEntry(Buffer.from(JSON.stringify({ ...entry, version: 2 })), 'p')).toThrow('p: version')
})

test('an entry that contradicts itself is corrupt, and the error names path and field', () => {
  const broken: [Partial<Record<keyof Entry, unknown>>, string][] = [
    [{ to: 0 }, 'to 0 is not greater than from 0'],
    [{ to: 1.5 }, 'to'],
    [{ from: 2 ** 60 }, 'from'],
    [{ files: [], counts: { read: 0, kept: 0, filtered: 0, dead: 0 } }, 'no files and no reason'],
    [{ counts: { read: 9, kept: 9, filtered: 0, dead: 1 } }, 'read 9 is not'],
    [{ counts: { read: 9, kept: 9, filtered: 0, dead: 0 } }, 'data files hold 8'],
    [{ counts: { read: 9, kept: 8, filtered: 1, dead: 0 } }, 'dead-letter files hold 1'],
    [{ committedAt: 'yesterday' }, 'committedAt'],
    [{ files: [{ ...entry.files[0], sha256: 'x' }] }, 'files.0.sha256']
  ]
  for (const [change, message] of broken) {
    const content = Buffer.from(JSON.stringify({ ...entry, ...change }))
    expect(() => parseEntry(content, 'log/p.json')).toThrow(`log/p.json: ${message}`)
  }
  expect(() => parseEntry(Buffer.from('<html>'), 'p')).toThrow('p is not JSON: "<html>"')
  expect(() => parseGenesis(serialize(entry), 'p')).toThrow('p: type')
})

test('an unreadable head is no hint', () => {
  expect(parseHead(Buffer.from('{'))).toBeUndefined()
  expect(parseHead(serialize(entry))).toBeUndefined()
  const head = {
    version: 1,
    type: 'head',
    from: 0,
    to: 10,
    nonce: 'n',
    publishedAt: entry.committedAt
  } as const
  expect(parseHead(serialize(head))).toEqual(head)
})
