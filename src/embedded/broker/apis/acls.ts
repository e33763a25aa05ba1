import { type Api, defineApi } from '../api.ts'
import { codes } from '../errors.ts'
import type { Reader, Writer } from '../wire.ts'

/** This broker has no authorizer, and answers about ACLs as Kafka does without one (`AclApis`). */

const VERSIONS = { versions: [1, 3], flexibleFrom: 2 } as const

/** DescribeAcls (key 29). */
export function describeAclsApi(): Api {
  return defineApi<undefined, number>({
    key: 29,
    name: 'DescribeAcls',
    ...VERSIONS,
    decode: skipAcl,
    subject: () => '',
    handle: () => codes.SECURITY_DISABLED,
    refuse: (_, error) => error,
    encode: (writer, error) => {
      writer.int32(0)
      writeError(writer, error, 'No Authorizer is configured on the broker')
      writer.structs([], () => {})
    }
  })
}

/** CreateAcls (key 30). */
export function createAclsApi(): Api {
  return eachRefused(30, 'CreateAcls', () => {})
}

/** DeleteAcls (key 31). */
export function deleteAclsApi(): Api {
  return eachRefused(31, 'DeleteAcls', (writer) => writer.structs([], () => {}))
}

/** An API of many ACLs, or filters of them, each with an answer of its own, which `rest` may go on. */
function eachRefused(key: number, name: string, rest: (writer: Writer) => void): Api {
  return defineApi<readonly undefined[], readonly number[]>({
    key,
    name,
    ...VERSIONS,
    decode: (reader) => reader.structs(() => skipAcl(reader)),
    subject: () => '',
    handle: (acls) => acls.map(() => codes.SECURITY_DISABLED),
    refuse: (acls, error) => acls.map(() => error),
    encode: (writer, errors) => {
      writer.int32(0).structs(errors, (_, error) => {
        writeError(writer, error, 'No Authorizer is configured.')
        rest(writer)
      })
    }
  })
}

/** An ACL, or a filter of ACLs. */
function skipAcl(reader: Reader): undefined {
  reader.int8() // The resource's type,
  reader.nullableString() // its name
  reader.int8() // and pattern,
  reader.nullableString() // who,
  reader.nullableString() // from where,
  reader.int8() // does what,
  reader.int8() // and may or may not.
}

function writeError(writer: Writer, error: number, disabled: string): void {
  writer.int16(error).string(error === codes.SECURITY_DISABLED ? disabled : null)
}
