import { expect, test } from 'vitest'
import { cameFrom, isInternalName, isTopicName, targetNamer } from '../../src/config/naming.ts'

test('a topic keeps its name, gets a prefix, or the name that the map gives it', () => {
  const named = (naming: Parameters<typeof targetNamer>[0]) => ['a', 'toString'].map(targetNamer(naming))
  expect(named({ type: 'identity' })).toEqual(['a', 'toString'])
  expect(named({ type: 'prefix', prefix: 'onprem.' })).toEqual(['onprem.a', 'onprem.toString'])
  expect(named({ type: 'map', names: { a: 'b' } })).toEqual(['b', 'toString'])
})

test('topics of our own, of Kafka and hidden ones are internal', () => {
  const names = ['x.internal', '__consumer_offsets', '.hidden', 'internal', '_a', 'a.internal.b']
  expect(names.map(isInternalName)).toEqual([true, true, true, false, false, false])
})

test('a topic name has the characters and the length that Kafka allows', () => {
  expect(['a', 'A.b_c-1', 'x'.repeat(249)].every(isTopicName)).toBe(true)
  expect(['', '.', '..', 'a b', 'ä', 'x'.repeat(250)].some(isTopicName)).toBe(false)
})

test('a prefix at the beginning or behind a dot says where a topic came from; the last part says nothing', () => {
  const names = ['aws.t', 'onprem.aws.t', 'aws.', 'aws', 'myaws.t', 'a.b.aws.c', 't.aws']
  expect(names.map((name) => cameFrom(name, ['aws.']))).toEqual([
    true,
    true,
    false,
    false,
    false,
    true,
    false
  ])
  expect(cameFrom('cloud-t', ['aws.', 'cloud-'])).toBe(true)
  expect(cameFrom('t', [])).toBe(false)
})
