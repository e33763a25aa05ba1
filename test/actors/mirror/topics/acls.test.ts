import { expect, test } from 'vitest'
import { aclOperation, aclPermission, type TopicAcl } from '../../../../src/actors/kafka/admin.ts'
import { missingAcls } from '../../../../src/actors/mirror/topics/acls.ts'

const { all, read, write } = aclOperation
const { allow, deny } = aclPermission
const acl = (
  topic: string,
  operation: number,
  permission: number = allow,
  principal = 'User:a'
): TopicAcl => {
  return { topic, principal, host: '*', operation, permission }
}
const copies = new Map([['t', 'x.t']])

test('the right to write is dropped, the right to everything becomes that to read, and denials stay', () => {
  const ours = [
    acl('t', read),
    acl('t', write, allow, 'User:b'),
    acl('t', all, allow, 'User:c'),
    acl('t', write, deny)
  ]
  expect(missingAcls(ours, [], copies)).toEqual([
    acl('x.t', read),
    acl('x.t', read, allow, 'User:c'),
    acl('x.t', write, deny)
  ])
})

test('what is there, what is of other topics, and what comes to the same is not given again', () => {
  const ours = [acl('t', read), acl('t', all), acl('other', read), acl('*', read)]
  expect(missingAcls(ours, [], copies)).toEqual([acl('x.t', read)])
  expect(missingAcls(ours, [acl('x.t', read)], copies)).toEqual([])
})
