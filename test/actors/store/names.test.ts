import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type ChainId,
  chainPrefix,
  dataPath,
  deadPath,
  decodeName,
  encodeName,
  entryPath,
  genesisPath,
  headPath,
  parseDataName,
  parseLogPath,
  sinkLogPrefix
} from '../../../src/actors/store/names.ts'

const chain: ChainId = {
  sink: 'hybrid.raw',
  topic: 'hybrid',
  topicId: '_3x-Q',
  generation: 2,
  partition: 3
}

test('the layout is the documented one', () => {
  expect(chainPrefix(chain)).toBe('log/v1/hybrid.raw/hybrid/~5F3x-Q-g2/3/')
  expect(entryPath(chain, 57)).toBe('log/v1/hybrid.raw/hybrid/~5F3x-Q-g2/3/00000000000000000057.json')
  const file = { chain, from: 57, to: 90, nonce: 'abc123' }
  expect(dataPath('hybrid/dt=2026-01-02/hour=03', file)).toBe(
    'data/hybrid.raw/hybrid/dt=2026-01-02/hour=03/hybrid+3+57+90+abc123.parquet'
  )
  expect(deadPath(file)).toBe('dead/hybrid.raw/hybrid/hybrid+3+57+90+abc123.ndjson')
})

test('any name becomes one segment that cannot climb, and comes back', () => {
  const name = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
    fc.constantFrom('.', '..', '../../x', 'a/b', 'a+b', '_hidden', '~2E', 'a b', 'dt=1', 'ünï')
  )
  fc.assert(
    fc.property(name, (given) => {
      const encoded = encodeName(given)
      expect(encoded).toMatch(/^[A-Za-z0-9~-][A-Za-z0-9._~-]*$/)
      expect(decodeName(encoded)).toBe(given)
    })
  )
})

test('a segment that no name gives is refused', () => {
  for (const segment of ['', '.', '_x', 'a+b', 'a/b', '~', '~2e', '~41', 'a~']) {
    expect(() => decodeName(segment), segment).toThrow('not an encoded name')
  }
  expect(() => encodeName('')).toThrow('empty name')
})

test('log paths are recognised and belong to their chain', () => {
  expect(parseLogPath(entryPath(chain, 57))).toEqual({ chain, file: { type: 'entry', from: 57 } })
  expect(parseLogPath(genesisPath(chain))).toEqual({ chain, file: { type: 'genesis' } })
  expect(parseLogPath(headPath(chain))).toEqual({ chain, file: { type: 'head' } })
  expect(parseLogPath(`${sinkLogPrefix('a')}topic/topic-id.json`)).toBeUndefined()
  expect(parseLogPath(`${chainPrefix(chain)}57.json`)).toBeUndefined()
})

test('data names are taken apart, also when the topic is too long for a file name', () => {
  const file = { chain: { ...chain, topic: 'a+'.repeat(120) }, from: 1, to: 2, nonce: 'ff' }
  const path = dataPath('d', file)
  expect(path.slice(path.lastIndexOf('/') + 1).length).toBeLessThan(230)
  expect(parseDataName(path)).toMatchObject({
    partition: 3,
    from: 1,
    to: 2,
    nonce: 'ff',
    extension: 'parquet'
  })
  expect(parseDataName('data/x/y.parquet')).toBeUndefined()
})
