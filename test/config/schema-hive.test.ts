import { expect, test } from 'vitest'
import { ConfigFaults, parseConfig } from '../../src/config.ts'

const PEM = '-----BEGIN CERTIFICATE-----'
const environment = { variable: () => 'sesame', readText: () => PEM, absolute: (path: string) => path }

const hiveOf = (keys: string) =>
  parseConfig(
    `name = "n"
data_dir = "d"
cluster.a.brokers = ["a:1"]
[store.h]
type = "hdfs"
namenodes = ["http://h:1"]
[hdfs_sink.x]
cluster = "a"
topics = ["t"]
store = "h"
[hdfs_sink.x.hive]
url = "hive2://h"
table = "t"
${keys}`,
    'c.toml',
    environment
  ).hdfsSinks.x?.hive

test('Hive is spoken to over TLS when it is said, by the system’s authorities or one of our own', () => {
  expect(hiveOf('')).not.toHaveProperty('tls')
  expect(hiveOf('tls = false')).not.toHaveProperty('tls')
  expect(hiveOf('tls = true')?.tls).toEqual({})
  expect(hiveOf('tls = { ca = "ca.pem" }')?.tls).toEqual({ ca: PEM })
  expect(hiveOf('tls = { ca = "ca.pem", server_name = "hive" }')?.tls).toEqual({
    ca: PEM,
    serverName: 'hive'
  })
  for (const tls of ['"yes"', '{ cert = "c.pem" }', '{ server_name = "" }']) {
    expect(() => hiveOf(`tls = ${tls}`), tls).toThrow(ConfigFaults)
  }
})
