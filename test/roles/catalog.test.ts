import { expect, test } from 'vitest'
import { allInstances, instancesOf } from '../../src/roles/catalog.ts'
import { roadConfig } from '../support/worker-view.ts'

const two = roadConfig(
  '[mirror.back]\nfrom = "aws"\nto = "onprem"\ntopics = ["answers"]\nnaming.prefix = "aws."\n'
)

test('the instances of a config come in the order of the road', () => {
  expect(allInstances(two).map(({ id }) => id)).toEqual([
    'ingest.tweets',
    'mirror.cloud',
    'mirror.back',
    'hdfs-sink.raw',
    's3-sink.crucial',
    'redshift-loader.tweets'
  ])
})

test('a role stands for all of its instances', () => {
  expect(instancesOf(two, ['s3-sink', 'mirror', 'mirror']).map(({ id }) => id)).toEqual([
    'mirror.cloud',
    'mirror.back',
    's3-sink.crucial'
  ])
  expect(instancesOf(two, 'all')).toEqual(allInstances(two))
})
