import { expect, test } from 'vitest'
import { syncRules } from '../../../src/actors/feed/x-rules.ts'

/** X's rules endpoint as far as it matters here. */
class Rules {
  rules: { id: string; value: string; tag?: string }[] = []
  readonly asked: string[] = []
  #next = 1

  readonly ask = async ({ method, body }: { readonly method: string; readonly body?: unknown }) => {
    this.asked.push(method)
    if (method === 'GET') return this.rules.length === 0 ? { meta: {} } : { data: this.rules }
    const { add = [], delete: gone } = body as {
      add?: { value: string; tag: string }[]
      delete?: { ids: string[] }
    }
    this.rules = this.rules.filter(({ id }) => !gone?.ids.includes(id))
    const errors = add
      .filter(({ value }) => value.includes('(('))
      .map(({ value }) => ({ title: 'UnprocessableEntity', value }))
    for (const rule of add)
      if (!rule.value.includes('((')) this.rules.push({ id: String(this.#next++), ...rule })
    return errors.length > 0 ? { errors } : {}
  }
}

test('missing keywords are added, our stale ones deleted, those of others left alone', async () => {
  const x = new Rules()
  x.rules = [
    { id: 'a', value: 'old', tag: 'ours' },
    { id: 'b', value: 'kept', tag: 'ours' },
    { id: 'c', value: 'theirs', tag: 'other' },
    { id: 'd', value: 'untagged' }
  ]
  await syncRules(x.ask, ['kept', 'big data', 'untagged'], 'ours')
  expect(x.rules.map(({ value, tag }) => [value, tag])).toEqual([
    ['kept', 'ours'],
    ['theirs', 'other'],
    ['untagged', undefined],
    ['big data', 'ours']
  ])
})

test('rules that are as wanted are not touched', async () => {
  const x = new Rules()
  await syncRules(x.ask, ['a', 'b'], 'ours')
  x.asked.length = 0
  await syncRules(x.ask, ['b', 'a'], 'ours')
  expect(x.asked).toEqual(['GET'])
})

test('a refused rule is named', async () => {
  await expect(syncRules(new Rules().ask, ['((bad'], 'ours')).rejects.toMatchObject({
    code: 'x-rule-refused',
    message: expect.stringContaining('((bad')
  })
})
