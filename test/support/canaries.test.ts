import { expect, test } from 'vitest'
import { Canaries } from './canaries.ts'

test.each([
  ['as it is', (secret: string) => `password=${secret}`],
  ['as part of a URL', (secret: string) => `postgres://u:${encodeURIComponent(secret)}@h`],
  ['cut', (secret: string) => secret.slice(2, -4)],
  ['within base64', (secret: string) => Buffer.from(`user:${secret}!`).toString('base64')],
  ['as hexadecimal digits', (secret: string) => Buffer.from(secret).toString('hex').toUpperCase()],
  ['escaped for JSON and SQL', (secret: string) => JSON.stringify(secret.replaceAll("'", "''"))]
])('a secret is found %s, and only that one', (_, disguise) => {
  const canaries = new Canaries()
  const secret = canaries.make('token')
  canaries.make('other')
  expect(canaries.foundIn(`x ${disguise(secret)} y`)).toEqual(['token'])
  expect(canaries.foundIn('nothing of the kind')).toEqual([])
})
