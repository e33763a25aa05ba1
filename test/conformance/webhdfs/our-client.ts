import { afterAll, beforeAll, expect, test } from 'vitest'
import { HdfsStore } from '../../../src/actors/hdfs/store.ts'
import { WebHdfs } from '../../../src/actors/hdfs/webhdfs.ts'
import type { DataFile, PreparedFile } from '../../../src/actors/store/store.ts'
import { call, lengthOf } from './requests.ts'
import { LISTING_MAX, SUPERUSER, type Subject } from './subject.ts'

const { signal } = new AbortController()

/** Our client, which knows both NameNodes of the pair and asks the one in standby first. */
export function ourClient(subject: () => Subject): void {
  const opened: { close(): void }[] = []
  let client: WebHdfs
  const keep = <One extends { close(): void }>(one: One): One => {
    opened.push(one)
    return one
  }
  const nameNodes = () => [subject().standby, subject().nameNode]
  const clientOf = (user: string) => keep(new WebHdfs({ namenodes: nameNodes(), user }))
  const storeOf = (path: string) => keep(new HdfsStore({ namenodes: nameNodes(), path, user: SUPERUSER }))
  const write = (path: string, content: string, as = client) =>
    as.create(path, [Buffer.from(content)], '444', signal)

  beforeAll(() => {
    client = clientOf(SUPERUSER)
  })
  afterAll(() => {
    for (const one of opened) one.close()
  })

  test('writes, finds, reads, renames and deletes names of every kind', async () => {
    for (const name of ['plain', 'a b', 'c+d', '100%', 'é🌊', '.hidden', 'dt=2026-11-21', 'x&y?z#']) {
      const path = `/ours/names/${name}`
      await write(path, `content of ${name}`)
      expect((await client.open(path, signal))?.toString(), name).toBe(`content of ${name}`)
      expect(await client.status(path, signal)).toMatchObject({ type: 'FILE' })
      expect(await client.rename(path, `${path}.2`, 'NONE', signal)).toBe(true)
      expect((await client.list('/ours/names', signal)).map((one) => one.name)).toEqual([`${name}.2`])
      expect(await client.delete(`${path}.2`, signal)).toBe(true)
      expect(await client.delete(`${path}.2`, signal)).toBe(false)
    }
  })

  test('absent is no error where one asks, and has a code of its own where one acts', async () => {
    expect(await client.open('/ours/absent', signal)).toBeUndefined()
    expect(await client.status('/ours/absent', signal)).toBeUndefined()
    expect(await client.list('/ours/absent', signal)).toEqual([])
    const renamed = client.rename('/ours/absent', '/ours/other', 'NONE', signal)
    await expect(renamed).rejects.toMatchObject({ code: 'hdfs-not-found', retryable: false })
  })

  test('a large directory is listed whole', async () => {
    const count = LISTING_MAX + 3
    for (let index = 0; index < count; index++) {
      await call(subject().nameNode, 'PUT', `/ours/large/${index}`, 'MKDIRS')
    }
    expect(await client.list('/ours/large', signal)).toHaveLength(count)
  })

  test('of many that rename to one name at once, one succeeds, and its content stands', async () => {
    const writers = Array.from({ length: 12 }, (_, index) => index)
    await Promise.all(writers.map((index) => write(`/ours/race/.${index}`, `writer ${index}`)))
    const outcomes = await Promise.allSettled(
      writers.map((index) => client.rename(`/ours/race/.${index}`, '/ours/race/one', 'NONE', signal))
    )
    const winners = writers.filter((index) => outcomes[index]?.status === 'fulfilled')
    expect(winners).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'hdfs-exists' })
    }
    expect((await client.open('/ours/race/one', signal))?.toString()).toBe(`writer ${winners[0]}`)
  })

  test('OVERWRITE replaces a file, and neither option moves into a directory', async () => {
    await write('/ours/over/one', 'one')
    await write('/ours/over/two', 'two')
    await write('/ours/over/directory/file', 'x')
    expect(await client.rename('/ours/over/one', '/ours/over/two', 'OVERWRITE', signal)).toBe(true)
    expect((await client.open('/ours/over/two', signal))?.toString()).toBe('one')
    for (const option of ['NONE', 'OVERWRITE'] as const) {
      await expect(client.rename('/ours/over/two', '/ours/over/directory', option, signal)).rejects.toThrow()
    }
    expect(await client.list('/ours/over/directory', signal)).toHaveLength(1)
  })

  test('what permissions forbid is store-denied, what they allow to a group is done', async () => {
    await call(subject().nameNode, 'PUT', '/ours/people', 'MKDIRS', { permission: '770' })
    await call(subject().nameNode, 'PUT', '/ours/people', 'SETOWNER', { owner: 'alice', group: 'people' })
    const [alice, bob, stranger] = ['alice', 'bob', 'stranger'].map(clientOf)
    await write('/ours/people/file', 'of alice', alice)
    await write('/ours/people/of-bob', 'of bob', bob)
    expect((await bob?.open('/ours/people/file', signal))?.toString()).toBe('of alice')
    const denied = { code: 'store-denied', retryable: false }
    await expect(stranger?.open('/ours/people/file', signal)).rejects.toMatchObject(denied)
    await expect(write('/ours/people/no', 'x', stranger)).rejects.toMatchObject(denied)
    await expect(stranger?.delete('/ours/people/file', signal)).rejects.toMatchObject(denied)
    const moved = stranger?.rename('/ours/people/file', '/ours/people/moved', 'NONE', signal)
    await expect(moved).rejects.toMatchObject(denied)
  })

  test('a quota on names or on space is store-quota, at whichever step it shows', async () => {
    const { nameNode } = subject()
    const full = { code: 'store-quota', retryable: false }
    await call(nameNode, 'PUT', '/ours/names-quota', 'MKDIRS')
    await call(nameNode, 'PUT', '/ours/names-quota', 'SETQUOTA', { namespacequota: '2' })
    await write('/ours/names-quota/one', 'x')
    await expect(write('/ours/names-quota/two', 'x')).rejects.toMatchObject(full)
    const moved = client.rename('/ours/over/two', '/ours/names-quota/moved', 'NONE', signal)
    await expect(moved).rejects.toMatchObject(full)
    await call(nameNode, 'PUT', '/ours/space-quota', 'MKDIRS')
    await call(nameNode, 'PUT', '/ours/space-quota', 'SETQUOTA', { storagespacequota: '1000000' })
    await expect(write('/ours/space-quota/one', 'x')).rejects.toMatchObject(full)
  })

  test('a data file that quotas refuse leaves no bytes behind, and is written when there is room', async () => {
    const { nameNode } = subject()
    const store = storeOf('/ours/lake')
    const file = fileOf('data/dt=1/f.parquet', 'rows')
    await call(nameNode, 'PUT', '/ours/lake/data/dt=1', 'MKDIRS')
    await call(nameNode, 'PUT', '/ours/lake/data', 'SETQUOTA', { storagespacequota: '1000000' })
    await expect(store.prepare(file, signal)).rejects.toMatchObject({ code: 'store-quota' })
    expect(await client.list('/ours/lake/data/dt=1', signal)).toEqual([])
    await call(nameNode, 'PUT', '/ours/lake/data', 'SETQUOTA', { storagespacequota: '-1' })
    const prepared: PreparedFile = { ...file, preparation: await store.prepare(file, signal) }
    expect(await store.stat(file.path, signal)).toBeUndefined()
    await store.publish(prepared, signal)
    await store.publish(prepared, signal)
    expect((await store.read(file.path, signal))?.toString()).toBe('rows')
  })

  test('in safe mode all changes are store-not-ready and nothing happens; reading goes on', async () => {
    const { setSafeMode, nameNode } = subject()
    const store = storeOf('/ours/safe')
    await store.create('log/one.json', Buffer.from('one'), signal)
    await setSafeMode(true)
    const waiting = { code: 'store-not-ready', retryable: true }
    try {
      expect((await store.read('log/one.json', signal))?.toString()).toBe('one')
      expect(await store.create('log/two.json', Buffer.from('two'), signal)).toMatchObject({
        ...{ outcome: 'doubtful', fault: waiting }
      })
      await expect(store.prepare(fileOf('data/f', 'x'), signal)).rejects.toMatchObject(waiting)
      await expect(store.replace('log/one.json', Buffer.from('x'), signal)).rejects.toMatchObject(waiting)
      await expect(store.remove('log/one.json', signal)).rejects.toMatchObject(waiting)
    } finally {
      await setSafeMode(false)
    }
    expect(await lengthOf(nameNode, '/ours/safe/log/two.json')).toBe(-1)
    expect(await store.create('log/two.json', Buffer.from('two'), signal)).toEqual({ outcome: 'created' })
  })

  test('the NameNodes change places, and the store goes on with the same files', async () => {
    const { setActive } = subject()
    const store = storeOf('/ours/pair')
    expect(await store.create('before.json', Buffer.from('before'), signal)).toEqual({ outcome: 'created' })
    const file = fileOf('f.parquet', 'rows')
    const prepared: PreparedFile = { ...file, preparation: await store.prepare(file, signal) }
    await setActive('second')
    try {
      expect((await store.read('before.json', signal))?.toString()).toBe('before')
      expect(await store.create('before.json', Buffer.from('x'), signal)).toEqual({ outcome: 'exists' })
      await store.publish(prepared, signal)
      expect(await store.create('after.json', Buffer.from('after'), signal)).toEqual({ outcome: 'created' })
    } finally {
      await setActive('first')
    }
    expect((await store.read('after.json', signal))?.toString()).toBe('after')
    expect((await store.read('f.parquet', signal))?.toString()).toBe('rows')
  })
}

function fileOf(path: string, content: string): DataFile {
  return {
    ...{ path, parts: [Buffer.from(content)], bytes: content.length },
    ...{ entryId: 'chain/0-n' }
  }
}
