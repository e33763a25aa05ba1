/**
 * How much of the world the tests run against: `quick` is embedded services, and real Kafka and HDFS for the conformance
 * suites; `real` is every service. Set by the tier's vitest config.
 */
export const tier: 'quick' | 'real' = process.env.CAUSEWAY_TIER === 'real' ? 'real' : 'quick'
