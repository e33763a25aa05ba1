import * as z from 'zod'
import type { Environment } from './environment.ts'
import {
  duration,
  flag,
  hostAndPort,
  httpUrl,
  list,
  oneOf,
  pemFile,
  present,
  refuse,
  secret,
  table,
  text
} from './fields.ts'
import { Secret } from './secret.ts'
import type { ClusterConfig, HdfsStoreConfig, HttpConfig, S3StoreConfig, WarehouseConfig } from './types.ts'
import { s3Encryptions, s3StorageClasses, saslMechanisms } from './types.ts'

export const listen = () =>
  hostAndPort(0)
    .prefault('127.0.0.1:9464')
    .describe('Address of metrics, health, state and page; port 0 lets the system choose.')

export function httpTable(environment: Environment) {
  return table({
    listen: listen(),
    token: secret(environment)
      .optional()
      .describe('Bearer token asked of every request; required when `listen` is not a loopback address.')
  }).transform(({ listen, token }): HttpConfig => ({ ...listen, ...present({ token }) }))
}

export function clusterTable(environment: Environment) {
  return table({
    brokers: list(
      hostAndPort(1).transform(({ host, port }) =>
        host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
      ),
      1,
      'an array of "host:port"'
    ).describe('Brokers to ask first; the rest of the cluster is found through them.'),
    tls: tls(environment).describe('TLS: true, or a table for an own authority or a client certificate.'),
    sasl: table({
      mechanism: oneOf(saslMechanisms).describe('SASL mechanism.'),
      username: text(/./, 'a user name').describe('SASL user.'),
      password: secret(environment).describe('SASL password.')
    })
      .optional()
      .describe('SASL authentication; none when absent.'),
    connect_timeout: duration('100ms', '5m')
      .prefault('10s')
      .describe('Limit of connecting and authenticating.'),
    request_timeout: duration('100ms', '5m')
      .prefault('30s')
      .describe('Limit of one request; its connection is given up after it.')
  }).transform(
    ({ brokers, tls, sasl, connect_timeout, request_timeout }): ClusterConfig => ({
      brokers,
      ...present({ tls, sasl }),
      connectTimeoutMs: connect_timeout,
      requestTimeoutMs: request_timeout
    })
  )
}

function tls(environment: Environment) {
  const files = table({
    ca: pemFile(environment).optional().describe('PEM file of the authority that signed the brokers.'),
    cert: pemFile(environment).optional().describe('PEM file of our certificate.'),
    key: pemFile(environment).optional().describe('PEM file of the key of our certificate.'),
    server_name: text(/./, 'a host name')
      .optional()
      .describe('Name expected in the certificates of the brokers.')
  }).transform(({ ca, cert, key, server_name }) =>
    present({ ca, cert, key: key === undefined ? undefined : new Secret(key), serverName: server_name })
  )
  return z
    .union([z.boolean().transform((on) => (on ? {} : undefined)), files], {
      error: 'true, false, or a table of ca, cert, key and server_name'
    })
    .optional()
}

export function hdfsStoreTable(environment: Environment) {
  return table({
    type: z.literal('hdfs').describe('HDFS, spoken to by WebHDFS.'),
    namenodes: list(httpUrl(WEBHDFS), 1, `an array: ${WEBHDFS}`).describe(
      'WebHDFS addresses of the namenodes; the active one is found.'
    ),
    path: text(/^\/(?!.*(^|\/)\.{1,2}(\/|$))/, 'an absolute path without "." and ".."')
      .default('/')
      .describe('Directory under which everything of ours lies.'),
    user: text(/^[^\s/]+$/, 'a user name')
      .optional()
      .describe('`user.name` of the requests; none when absent.'),
    delegation_token: secret(environment)
      .optional()
      .describe('Delegation token of a cluster with Kerberos, in place of `user`.')
  }).transform(
    ({ type, namenodes, path, user, delegation_token }): HdfsStoreConfig => ({
      ...{ type, namenodes, path },
      ...present({ user, delegationToken: delegation_token })
    })
  )
}

const WEBHDFS = 'an http(s) URL such as "http://namenode:9870"'

export function s3StoreTable(environment: Environment) {
  return table({
    type: z.literal('s3').describe('S3, or a store that speaks its protocol with conditional writes.'),
    bucket: text(
      /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
      'a bucket: 3 to 63 lower-case letters, digits, "." or "-"'
    ).describe('Bucket; it must exist.'),
    prefix: text(/^(?!\/)(?!.*\/\/)[^\0]*$/, 'a key prefix that does not start with "/"')
      .default('')
      .describe('Key prefix under which everything of ours lies.'),
    region: text(/^[a-z0-9-]+$/, 'a region such as "us-east-1"')
      .default('us-east-1')
      .describe('Region.'),
    endpoint: httpUrl('an http(s) URL').optional().describe("Another service's address; AWS when absent."),
    path_style: flag().default(false).describe('Buckets in the path instead of the host name.'),
    access_key_id: secret(environment)
      .optional()
      .describe("Access key; the SDK's own credential chain when absent."),
    secret_access_key: secret(environment).optional().describe('Secret of the access key.'),
    sse: oneOf(s3Encryptions)
      .optional()
      .describe(
        "Encryption by the store, with its own keys or those of a KMS; the bucket's default when absent."
      ),
    kms_key: text(/^[A-Za-z0-9:/_-]{1,2048}$/, 'the id, alias or ARN of a KMS key')
      .optional()
      .describe('Key of `sse = "kms"`; AWS\' own when absent.'),
    storage_class: oneOf(s3StorageClasses)
      .optional()
      .describe(
        'Storage class of data files and dead letters; archives cannot be read at once and are refused.'
      ),
    tags: tags().optional().describe('Tags of data files and dead letters: at most ten names with values.')
  }).transform(
    ({ path_style, access_key_id, secret_access_key, endpoint, prefix, ...rest }): S3StoreConfig => ({
      type: rest.type,
      bucket: rest.bucket,
      region: rest.region,
      prefix: prefix.replace(/\/$/, ''),
      pathStyle: path_style,
      ...present({
        ...{ endpoint, accessKeyId: access_key_id, secretAccessKey: secret_access_key },
        ...{ sse: rest.sse, kmsKey: rest.kms_key, storageClass: rest.storage_class, tags: rest.tags }
      })
    })
  )
}

const TAGS_MAX = 10
const TAGS = `at most ${TAGS_MAX} tags: names up to 128 and values up to 256 letters, digits, spaces or any of _.:/=+-@, no name beginning with "aws:"`

/** Limits of the S3 user guide, "Categorizing your storage using tags". */
function tags() {
  const name = z.string().regex(/^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/iu)
  const value = text(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u, TAGS)
  return z
    .record(name, value, { error: TAGS })
    .refine((given) => Object.keys(given).length <= TAGS_MAX, { error: TAGS })
}

export function warehouseTable(environment: Environment) {
  return table({
    dialect: oneOf(['postgres']).default('postgres').describe('SQL dialect of the database.'),
    url: secret(environment)
      .transform((url, issues) => (isPostgres(url.reveal()) ? url : refuse(issues, POSTGRES)))
      .describe('Address with user and password, by reference because it holds a secret.'),
    schema: text(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, 'an SQL name')
      .default('public')
      .describe('Schema of our tables.')
  }).transform((warehouse): WarehouseConfig => warehouse)
}

const POSTGRES = 'a reference to a URL of the form postgres://user:password@host:port/database'

function isPostgres(url: string): boolean {
  return URL.canParse(url) && ['postgres:', 'postgresql:'].includes(new URL(url).protocol)
}
