import { expect, test } from 'vitest'
import type { ConfigEntries } from '../../../../src/actors/kafka/admin.ts'
import {
  configChanges,
  excludedConfigs,
  initialConfigs,
  unknownConfigs
} from '../../../../src/actors/mirror/topics/configs.ts'

const own = (value: string) => ({ value, isOwn: true })
const byDefault = (value: string) => ({ value, isOwn: false })
const entries = (given: Record<string, { value: string; isOwn: boolean }>): ConfigEntries =>
  new Map(Object.entries(given))
const nothing = () => false

test('a topic is created with what its source was given, and with what decides how long records are kept', () => {
  const source = entries({
    'segment.ms': own('5'),
    'flush.ms': byDefault('9'),
    'retention.ms': byDefault('-1'),
    'min.insync.replicas': own('2')
  })
  expect(initialConfigs(source, excludedConfigs(['min.insync.replicas']))).toEqual({
    'segment.ms': '5',
    'retention.ms': '-1'
  })
  expect(initialConfigs(source, nothing, 'kept')).toEqual({ 'retention.ms': '-1' })
})

test('what the target’s version does not know is named, and not asked of it', () => {
  const source = entries({
    'message.format.version': own('0.9.0'),
    'flush.ms': own('5'),
    older: byDefault('1')
  })
  const target = entries({ 'flush.ms': byDefault('9') })
  expect(unknownConfigs(source, target, nothing)).toEqual(['message.format.version'])
  expect(unknownConfigs(source, target, excludedConfigs(['message.*']))).toEqual([])
  expect(configChanges(source, target, nothing)).toEqual([{ name: 'flush.ms', value: '5' }])
})

test.each<[string, ReturnType<typeof own>, ReturnType<typeof own>, string | undefined | 'left']>([
  ['flush.ms', own('5'), byDefault('9'), '5'],
  ['flush.ms', own('5'), own('6'), '5'],
  ['flush.ms', own('5'), byDefault('5'), 'left'],
  ['flush.ms', byDefault('9'), own('5'), undefined],
  ['flush.ms', byDefault('9'), byDefault('5'), 'left'],
  ['retention.ms', byDefault('100'), byDefault('50'), '100'],
  ['retention.ms', byDefault('100'), byDefault('200'), 'left'],
  ['retention.ms', byDefault('-1'), byDefault('200'), '-1'],
  ['retention.ms', byDefault('100'), byDefault('-1'), 'left'],
  ['retention.ms', byDefault('100'), own('200'), '100'],
  ['retention.bytes', own('100'), byDefault('-1'), '100'],
  ['cleanup.policy', byDefault('compact'), byDefault('delete'), 'compact']
])('%s: source %o, target %o', (name, source, target, change) => {
  expect(configChanges(entries({ [name]: source }), entries({ [name]: target }), nothing)).toEqual(
    change === 'left' ? [] : [{ name, value: change }]
  )
})

test('what is excluded is left alone, and what only the target knows, too', () => {
  const source = entries({ 'flush.ms': own('5'), 'a.b': own('1'), aXb: own('1') })
  const target = entries({
    'flush.ms': own('6'),
    'only.there': own('1'),
    'a.b': byDefault('2'),
    aXb: byDefault('2')
  })
  expect(configChanges(source, target, excludedConfigs(['flush.*', 'a.b']))).toEqual([
    { name: 'aXb', value: '1' }
  ])
})
