import { expect, test } from 'vitest'
import { findCircle, legOf } from '../../src/config/circles.ts'
import {
  cameFrom,
  isInternalName,
  isTopicName,
  type Naming,
  targetNamer,
  withHeartbeats
} from '../../src/config/naming.ts'

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

test('heartbeats get the name that MirrorMaker 2’s clients look for, but where a prefix or the map decides', () => {
  const named = (naming: Naming) => targetNamer(withHeartbeats(naming, 'onprem'))('heartbeats')
  expect(named({ type: 'identity' })).toBe('onprem.heartbeats')
  expect(named({ type: 'prefix', prefix: 'x-' })).toBe('x-heartbeats')
  expect(named({ type: 'map', names: { a: 'b' } })).toBe('onprem.heartbeats')
  expect(named({ type: 'map', names: { heartbeats: 'beats' } })).toBe('beats')
  expect(targetNamer(withHeartbeats({ type: 'identity' }, 'onprem'))('orders')).toBe('orders')
  expect(targetNamer({ type: 'identity' })('heartbeats')).toBe('heartbeats')
})

test('heartbeats both ways are no circle', () => {
  const [a, b] = ['a', 'b'].map((key) => ({ key, name: key }))
  if (a === undefined || b === undefined) throw new Error('two clusters')
  const scope = (from: typeof a, to: typeof a, topic: string) => {
    const naming = withHeartbeats({ type: 'identity' }, from.name)
    return legOf({ name: topic, from, to, topics: [topic, 'heartbeats'], exclude: [], naming, origins: [] })
  }
  const legs = [scope(a, b, 'there'), scope(b, a, 'back')]
  expect(findCircle(legs, { cluster: a, topic: 'heartbeats' })).toBeUndefined()
  expect(legs.every((leg) => leg.copies('heartbeats'))).toBe(true)
})
