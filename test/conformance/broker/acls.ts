import { expect, test } from 'vitest'
import type { Reader, Writer } from '../../../src/embedded/broker/wire.ts'
import { type Subject, withClient } from './bench.ts'
import type { RawRequest } from './raw-client.ts'

interface Refusal {
  readonly error: number
  readonly message: string | null
}

const SECURITY_DISABLED = 54

/** What is said about ACLs where there is no authorizer. */
export function unauthorized(subject: () => Subject): void {
  test.each([1, 2, 3])('none are described, made or deleted: 54 for each (version %i)', (version) =>
    withClient(subject(), async (client) => {
      const refused = { error: SECURITY_DISABLED, message: 'No Authorizer is configured.' }
      const message = 'No Authorizer is configured on the broker'
      expect(await client.call(describeAcls(version))).toEqual({ ...refused, message, resources: 0 })
      expect(await client.call(createAcls(version, 2))).toEqual([refused, refused])
      expect(await client.call(deleteAcls(version, 2))).toEqual([refused, refused])
    })
  )
}

/** DescribeAcls of everything. */
function describeAcls(version: number): RawRequest<Refusal & { readonly resources: number }> {
  return {
    key: 29,
    version,
    flexible: version >= 2,
    encode: (writer) => {
      writer.int8(1).string(null).int8(1).string(null).string(null).int8(1).int8(1)
    },
    decode: (reader) => {
      reader.int32()
      return { ...readRefusal(reader), resources: reader.structs(() => {}).length }
    }
  }
}

/** CreateAcls, so many times that anybody may read a topic. */
function createAcls(version: number, count: number): RawRequest<readonly Refusal[]> {
  return ofEach(30, version, count, () => {})
}

/** DeleteAcls, so many times what CreateAcls makes. */
function deleteAcls(version: number, count: number): RawRequest<readonly Refusal[]> {
  return ofEach(31, version, count, (reader) => expect(reader.structs(() => {})).toEqual([]))
}

function ofEach(
  key: number,
  version: number,
  count: number,
  rest: (reader: Reader) => void
): RawRequest<readonly Refusal[]> {
  return {
    key,
    version,
    flexible: version >= 2,
    encode: (writer) => {
      writer.structs(Array(count).fill(undefined), writeAcl)
    },
    decode: (reader) => {
      reader.int32()
      return reader.structs(() => {
        const refusal = readRefusal(reader)
        rest(reader)
        return refusal
      })
    }
  }
}

function writeAcl(writer: Writer): void {
  writer.int8(2).string('topic').int8(3).string('User:*').string('*').int8(3).int8(3)
}

function readRefusal(reader: Reader): Refusal {
  return { error: reader.int16(), message: reader.nullableString() }
}
