import { inspect } from 'node:util'
import pg from 'pg'
import { expect, test } from 'vitest'
import { type Bench, chain, ids, PASSWORD, rows } from './bench.ts'

/** Connections, servers and statements that end before their time. */
export function failing(bench: Bench): void {
  test('a session killed in the middle of a transaction leaves nothing', async () => {
    const session = await bench.open()
    await session.positions([{ chain, start: 0 }])
    const cut = session.load(
      { chain, from: 0, to: 500 },
      rows(0, 500, () => bench.terminate())
    )
    await expect(cut).rejects.toMatchObject({ code: 'unreachable', retryable: true })
    session.destroy()
    const next = await bench.open()
    expect(await bench.positionIn(next)).toBe(0)
    expect(await bench.idsInTable()).toEqual([])
    expect(await next.load({ chain, from: 0, to: 500 }, rows(0, 500))).toMatchObject({ rows: 500 })
    expect(await bench.idsInTable()).toEqual(ids(0, 500))
    next.destroy()
  })

  test('a session that is lost between its rows and their position leaves neither', async () => {
    const session = await bench.open()
    await session.positions([{ chain, start: 0 }])
    bench.proxy.onRequest = (bytes) => (bytes.includes('SET next_offset') ? 'drop' : 'pass')
    await expect(session.load({ chain, from: 0, to: 3 }, rows(0, 3))).rejects.toMatchObject({
      code: 'unreachable',
      retryable: true
    })
    bench.proxy.reset()
    const next = await bench.open()
    expect(await bench.positionIn(next)).toBe(0)
    expect(await bench.idsInTable()).toEqual([])
    next.destroy()
  })

  test('a lost reply to COMMIT is a doubt that the position resolves', async () => {
    for (const isCommitted of [true, false]) {
      bench.table = `doubt ${isCommitted}`
      await bench.admin.query('DROP TABLE IF EXISTS causeway_positions')
      bench.proxy.reset()
      const session = await bench.open()
      await session.positions([{ chain, start: 0 }])
      let hasCommit = false
      bench.proxy.onRequest = (bytes) => {
        hasCommit ||= bytes.includes('COMMIT')
        return hasCommit && !isCommitted ? 'drop' : 'pass'
      }
      bench.proxy.onReply = () => (hasCommit ? 'drop' : 'pass')
      const load = session.load({ chain, from: 0, to: 3 }, rows(0, 3))
      await expect(load).rejects.toMatchObject({ code: 'unreachable', retryable: true })
      bench.proxy.reset()
      const next = await bench.open()
      expect(await bench.positionIn(next)).toBe(isCommitted ? 3 : 0)
      expect(await bench.idsInTable()).toEqual(isCommitted ? ids(0, 3) : [])
      next.destroy()
    }
  })

  test('a COMMIT that is answered by ROLLBACK has committed nothing, and is not taken for one', async () => {
    const session = await bench.open()
    await session.positions([{ chain, start: 0 }])
    // A pool or a server that has given the transaction up says so in its answer's tag and nowhere else.
    const query = Buffer.from('Q....ROLLBACK\0')
    query.writeInt32BE(query.length - 1, 1)
    bench.proxy.onRequest = (bytes) => (bytes.includes('COMMIT') ? query : 'pass')
    await expect(session.load({ chain, from: 0, to: 3 }, rows(0, 3))).rejects.toMatchObject({
      code: 'warehouse-failed',
      message: expect.stringContaining('ROLLBACK')
    })
    session.destroy()
    bench.proxy.reset()
    const next = await bench.open()
    expect(await bench.positionIn(next)).toBe(0)
    expect(await bench.idsInTable()).toEqual([])
    next.destroy()
  })

  test.each(['BEGIN', 'FOR UPDATE', 'COPY', 'UPDATE', 'COMMIT'])(
    'a server that falls silent at %s is given up',
    async (statement) => {
      const session = await bench.open({ statementMs: 800, graceMs: 200, briefMs: 800 })
      await session.positions([{ chain, start: 0 }])
      let isSilent = false
      bench.proxy.onRequest = (bytes) => {
        isSilent ||= bytes.includes(statement)
        return 'pass'
      }
      bench.proxy.onReply = () => (isSilent ? 'hold' : 'pass')
      await expect(session.load({ chain, from: 0, to: 3 }, rows(0, 3))).rejects.toMatchObject({
        code: 'unreachable',
        retryable: true
      })
      expect(isSilent).toBe(true)
      session.destroy()
      bench.proxy.reset()
      bench.proxy.onReply = () => 'hold'
      await expect(bench.open({ connectMs: 100 })).rejects.toMatchObject({ retryable: true })
    }
  )

  test('an abort ends the session at once', async () => {
    const abort = new AbortController()
    const session = await bench.open({}, undefined, abort.signal)
    await session.positions([{ chain, start: 0 }])
    const load = session.load(
      { chain, from: 0, to: 3 },
      rows(0, 3, async () => abort.abort())
    )
    await expect(load).rejects.toMatchObject({ code: 'unreachable' })
    const sessions = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'causeway'"
    await expect.poll(async () => (await bench.admin.query(sessions)).rowCount, { timeout: 20_000 }).toBe(0)
    expect(await bench.idsInTable()).toEqual([])
  })

  test('no fault shows the password, whatever is wrong with the URL or the server', async () => {
    const wrong = new URL(bench.subject.url)
    wrong.password = 'wrong-secret'
    const nowhere = new URL(bench.subject.url)
    nowhere.port = '1'
    const noDatabase = new URL(bench.subject.url)
    noDatabase.pathname = '/none'
    const cases = [
      { url: wrong.href, code: 'warehouse-denied', retryable: false },
      { url: nowhere.href, code: 'unreachable', retryable: true },
      { url: noDatabase.href, code: 'warehouse-missing', retryable: false },
      { url: `not a url ${PASSWORD}`, code: 'config-invalid', retryable: false }
    ]
    for (const { url, ...expected } of cases) {
      const fault = await bench.open({}, url).catch((error: unknown) => error)
      expect(fault).toMatchObject(expected)
      for (const shown of [
        String(fault),
        inspect(fault, { depth: 10, showHidden: true }),
        JSON.stringify(fault)
      ]) {
        expect(shown).not.toContain(PASSWORD)
        expect(shown).not.toContain('wrong-secret')
      }
    }
  })

  test('a server killed in the middle of a transaction comes back without it', async () => {
    const session = await bench.open()
    await session.positions([{ chain, start: 0 }])
    await session.load({ chain, from: 0, to: 10 }, rows(0, 10))
    const killing = rows(10, 500, () => bench.restart())
    await expect(session.load({ chain, from: 10, to: 500 }, killing)).rejects.toMatchObject({
      code: 'unreachable',
      retryable: true
    })
    session.destroy()
    const next = await bench.open()
    expect(await bench.positionIn(next)).toBe(10)
    expect(await bench.idsInTable()).toEqual(ids(0, 10))
    expect(await next.load({ chain, from: 10, to: 500 }, rows(10, 500))).toMatchObject({ rows: 490 })
    next.destroy()
  })

  test('what COMMIT acknowledged is there after the server was killed', async () => {
    const session = await bench.open()
    await session.positions([{ chain, start: 0 }])
    expect(await session.load({ chain, from: 0, to: 50 }, rows(0, 50))).toMatchObject({ outcome: 'loaded' })
    await bench.restart()
    session.destroy()
    const next = await bench.open()
    expect(await bench.positionIn(next)).toBe(50)
    expect(await bench.idsInTable()).toEqual(ids(0, 50))
    next.destroy()
  })

  test('a statement that the server cancels for taking too long can be tried again', async () => {
    const session = await bench.open({ statementMs: 300 })
    await session.positions([{ chain, start: 0 }])
    await bench.admin.query('BEGIN')
    await bench.admin.query(`LOCK TABLE ${pg.escapeIdentifier(bench.table)} IN ACCESS EXCLUSIVE MODE`)
    const load = session.load({ chain, from: 0, to: 3 }, rows(0, 3))
    await expect(load).rejects.toMatchObject({ code: 'warehouse-timeout', retryable: true })
    await bench.admin.query('ROLLBACK')
    session.destroy()
    const next = await bench.open()
    expect(await bench.positionIn(next)).toBe(0)
    expect(await next.load({ chain, from: 0, to: 3 }, rows(0, 3))).toMatchObject({ outcome: 'loaded' })
    expect(await bench.idsInTable()).toEqual(ids(0, 3))
    next.destroy()
  })
}
