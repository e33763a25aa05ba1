import * as z from 'zod'
import type { Environment } from './environment.ts'
import { oneOf, pemFile, present, secret, table, text } from './fields.ts'
import { type HiveConfig, hiveAuths, hiveTimestamps } from './types.ts'

export function hiveTable(environment: Environment) {
  const name = (what: string) => text(/^[A-Za-z0-9_]{1,128}$/, `${what}: letters, digits and "_"`)
  return table({
    url: text(/^hive2:\/\/(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/, URL_FORM).describe(
      'HiveServer2, its Thrift service in binary mode.'
    ),
    auth: oneOf(hiveAuths)
      .default('plain')
      .describe(
        'What `hive.server2.authentication` asks for: plain for NONE, LDAP and CUSTOM, nosasl for NOSASL.'
      ),
    user: text(/./, 'a user name').optional().describe('User of the session; "anonymous" when absent.'),
    password: secret(environment).optional().describe('Password of the user.'),
    tls: tls(environment).describe('TLS (`hive.server2.use.SSL`): true, or a table for an own authority.'),
    database: name('a database').default('default').describe('Database of the table; it must exist.'),
    table: name('a table').describe('External table that is created, and gets columns and partitions.'),
    timestamps: oneOf(hiveTimestamps)
      .default('timestamp')
      .describe(
        "Type of instants: Hive shows a timestamp in its machine's time zone; bigint is milliseconds in UTC."
      ),
    file_system: text(/^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/, FILE_SYSTEM_FORM)
      .optional()
      .describe("The store's file system as Hive names it; Hive's default one when absent.")
  }).transform(
    ({ user, password, tls, file_system, ...rest }): HiveConfig => ({
      ...rest,
      ...present({ user, password, tls, fileSystem: file_system })
    })
  )
}

/** As that of clusters; HiveServer2 asks for no certificate of ours. */
function tls(environment: Environment) {
  const files = table({
    ca: pemFile(environment).optional().describe('PEM file of the authority that signed HiveServer2.'),
    server_name: text(/./, 'a host name').optional().describe('Name expected in its certificate.')
  }).transform(({ ca, server_name }) => present({ ca, serverName: server_name }))
  return z
    .union([z.boolean().transform((on) => (on ? {} : undefined)), files], {
      error: 'true, false, or a table of ca and server_name'
    })
    .optional()
}

const URL_FORM = 'an address such as "hive2://hive:10000"'
const FILE_SYSTEM_FORM = 'a file system such as "hdfs://nameservice1"'
