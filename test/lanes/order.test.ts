import { expect, test } from 'vitest'
import { Secret } from '../../src/config/secret.ts'
import { concealed, revealed } from '../../src/lanes/order.ts'

test('secrets get to a thread whole, and are secrets again there', () => {
  const config = {
    clusters: { a: { brokers: ['h:1'], sasl: { username: 'u', password: new Secret('sesame') } } },
    mirror: { m: { takeOver: undefined, rules: [{ filter: 'key != null' }], lanes: 2, isOn: true } }
  }
  const sent: unknown = structuredClone(revealed(config))
  expect(JSON.stringify(sent)).toContain('sesame')
  const received = concealed(sent) as typeof config
  expect(received).toEqual(config)
  expect(received.clusters.a.sasl.password.reveal()).toBe('sesame')
  expect(JSON.stringify(received)).not.toContain('sesame')
})
