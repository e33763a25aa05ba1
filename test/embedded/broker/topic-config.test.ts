import { expect, test } from 'vitest'
import { TopicConfig, topicSettings } from '../../../src/embedded/broker/topic-config.ts'

const INVALID_CONFIG = 40

test('defaults are those of Kafka, and fit their own rules', () => {
  const config = new TopicConfig({})
  expect(config.maxMessageBytes).toBe(1_048_588)
  expect(config).toMatchObject({ logAppendTime: false, compacted: false, timestampAfterMaxMs: 3_600_000 })
  for (const [name, setting] of Object.entries(topicSettings)) {
    expect([name, setting.accepts(setting.default)]).toEqual([name, true])
  }
})

test('what was given is kept and told apart from the defaults', () => {
  const config = new TopicConfig({ 'cleanup.policy': 'compact,delete', 'segment.bytes': '16777216' })
  expect(config).toMatchObject({ compacted: true, segmentBytes: 16_777_216 })
  expect([config.isGiven('segment.bytes'), config.isGiven('retention.ms')]).toEqual([true, false])
  expect(config.given()).toEqual({ 'cleanup.policy': 'compact,delete', 'segment.bytes': '16777216' })
})

test.each([
  ['no.such.setting', '1'],
  ['retention.ms', '-2'],
  ['retention.ms', 'a week'],
  ['cleanup.policy', 'keep'],
  ['message.timestamp.type', 'Whenever'],
  ['min.cleanable.dirty.ratio', '2']
])('%s = %s is refused', (name, value) => {
  expect(() => new TopicConfig({ [name]: value })).toThrow(expect.objectContaining({ code: INVALID_CONFIG }))
})
