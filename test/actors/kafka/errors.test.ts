import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { kafkaFault } from '../../../src/actors/kafka/errors.ts'

interface KafkajsError {
  readonly type: string
  readonly code: number
}

const { errorCodes } = createRequire(import.meta.url)('kafkajs/src/protocol/error.js') as {
  readonly errorCodes: readonly KafkajsError[]
}

/** Kafka has renamed these since, but for the last, whose code would say `kafka-kafka-…`. */
const renamed = new Map([
  ['UNKNOWN', 'unknown-server-error'],
  ['INVALID_TOPIC_EXCEPTION', 'invalid-topic'],
  ['NOT_LEADER_FOR_PARTITION', 'not-leader-or-follower'],
  ['GROUP_LOAD_IN_PROGRESS', 'coordinator-load-in-progress'],
  ['GROUP_COORDINATOR_NOT_AVAILABLE', 'coordinator-not-available'],
  ['NOT_COORDINATOR_FOR_GROUP', 'not-coordinator'],
  ['KAFKA_STORAGE_ERROR', 'storage-error']
])
const kebab = (type: string) => renamed.get(type) ?? type.toLowerCase().replaceAll('_', '-')

test('codes have the names that kafkajs knows them by', () => {
  const known = errorCodes.filter(({ code }) => !kafkaFault(code, 'x').code.startsWith('kafka-error-'))
  expect(known.length).toBeGreaterThan(70)
  const different = known.filter(({ code, type }) => {
    return kafkaFault(code, 'x').code !== `kafka-${kebab(type)}`
  })
  expect(different).toEqual([])
})

test('an unknown code is still a fault, and names itself', () => {
  expect(kafkaFault(9_999, 'partition hybrid-0')).toMatchObject({
    code: 'kafka-error-9999',
    retryable: false,
    message: 'partition hybrid-0: error 9999 (9999)'
  })
})
