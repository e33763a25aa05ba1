import pg from 'pg'
import { expect, test } from 'vitest'
import { CopyTextEncoder } from '../../../src/actors/redshift/copy-text.ts'
import type { CopySource } from '../../../src/actors/redshift/session.ts'
import { Fault } from '../../../src/errors.ts'
import { type Bench, chain, columns, ids, PASSWORD, rows } from './bench.ts'

/** Rows and the position that they lead to, in one transaction. */
export function loading(bench: Bench): void {
  test('a transaction writes the rows and the position they lead to, each exactly once', async () => {
    const session = await bench.open()
    expect(await session.positions([{ chain, start: 5 }])).toEqual(new Map([[chain, 5]]))
    expect(await session.load({ chain, from: 5, to: 9 }, rows(5, 9))).toEqual({ outcome: 'loaded', rows: 4 })
    expect(await session.load({ chain, from: 5, to: 9 }, rows(5, 9))).toEqual({
      outcome: 'moved',
      position: 9
    })
    // A start given later changes nothing, and an empty range moves the position alone.
    expect(await session.load({ chain, from: 9, to: 12 }, rows(9, 9))).toEqual({ outcome: 'loaded', rows: 0 })
    expect(
      await session.positions([
        { chain, start: 5 },
        { chain: 'other', start: 3 }
      ])
    ).toEqual(
      new Map([
        [chain, 12],
        ['other', 3]
      ])
    )
    expect(await bench.idsInTable()).toEqual(ids(5, 9))
    session.destroy()
  })

  test('two tables that are loaded from one chain have positions of their own', async () => {
    const first = await bench.open()
    await first.positions([{ chain, start: 0 }])
    await first.load({ chain, from: 0, to: 3 }, rows(0, 3))
    bench.table = `${bench.table} second`
    const second = await bench.open()
    expect(await bench.positionIn(second)).toBe(0)
    expect(await second.load({ chain, from: 0, to: 2 }, rows(0, 2))).toMatchObject({ outcome: 'loaded' })
    expect([await bench.positionIn(first), await bench.positionIn(second)]).toEqual([3, 2])
    expect(await bench.idsInTable()).toEqual(ids(0, 2))
    for (const session of [first, second]) session.destroy()
  })

  test('a table that was dropped is loaded again from the start', async () => {
    const session = await bench.open()
    await session.positions([{ chain, start: 0 }])
    await session.load({ chain, from: 0, to: 3 }, rows(0, 3))
    session.destroy()
    await bench.admin.query(`DROP TABLE ${pg.escapeIdentifier(bench.table)}`)
    const next = await bench.open()
    expect(await bench.positionIn(next)).toBe(0)
    next.destroy()
  })

  test('sessions that start together create one table, and an existing one is used as it is', async () => {
    const sessions = await Promise.all(Array.from({ length: 4 }, () => bench.open()))
    for (const session of sessions) session.destroy()
    await bench.admin.query(
      `ALTER TABLE ${pg.escapeIdentifier(bench.table)} ADD COLUMN note TEXT DEFAULT 'ours'`
    )
    ;(await bench.open()).destroy()
    await bench.admin.query(`ALTER TABLE ${pg.escapeIdentifier(bench.table)} DROP COLUMN text`)
    await expect(bench.open()).rejects.toMatchObject({
      code: 'warehouse-mismatch',
      message: expect.stringContaining('no column text')
    })
  })

  test('values arrive as they are: 64-bit ids, escapes, emoji, instants, null', async () => {
    const session = await bench.open()
    await session.positions([{ chain, start: 0 }])
    const text = 'tab\t line\n return\r back\\slash \\N \\. "quoted" 🎉 \u2028 \ufeff'
    const encoder = new CopyTextEncoder()
    const row = (id: string, value: string | null, at: string | null) => {
      encoder.plain(id)
      if (value === null) encoder.null()
      else encoder.text(Buffer.from(value))
      if (at === null) encoder.null()
      else encoder.plain(at)
      encoder.endRow()
    }
    row('9223372036854775807', text, '2018-10-10T20:19:24.001Z')
    row('-9223372036854775808', '', '10000-01-01T00:00:00.000Z')
    row('0', null, null)
    row('1', '\\N', '0044-03-15T12:00:00.000Z BC')
    async function* source(): AsyncGenerator<CopySource> {
      async function* chunks() {
        yield encoder.take()
      }
      yield { columns: columns.map(({ name }) => name), chunks: chunks() }
    }
    expect(await session.load({ chain, from: 0, to: 4 }, source())).toEqual({ outcome: 'loaded', rows: 4 })
    const at = `extract(epoch FROM "at ""x""") * 1000`
    const found = await bench.admin.query(
      `SELECT id::text, text, (${at})::bigint::text AS at FROM ${pg.escapeIdentifier(bench.table)} ORDER BY id`
    )
    expect(found.rows).toEqual([
      { id: '-9223372036854775808', text: '', at: String(Date.UTC(10_000, 0, 1)) },
      { id: '0', text: null, at: null },
      { id: '1', text: '\\N', at: String(new Date('-000043-03-15T12:00:00.000Z').getTime()) },
      { id: '9223372036854775807', text, at: String(Date.UTC(2018, 9, 10, 20, 19, 24, 1)) }
    ])
    session.destroy()
  })

  test('refused rows and broken sources blame themselves, write nothing, and leave the session usable', async () => {
    const session = await bench.open()
    await session.positions([{ chain, start: 0 }])
    async function* bad(line: string): AsyncGenerator<CopySource> {
      yield* rows(0, 3)
      async function* chunks() {
        yield Buffer.from(line)
      }
      yield { columns: ['id', 'text'], chunks: chunks() }
    }
    const refused = await session
      .load({ chain, from: 0, to: 4 }, bad('private words\tx\n'))
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'rows-refused', retryable: false })
    expect(String(refused)).toMatch(/SQLSTATE 22P02, COPY tweets "\d+", line 1, column id\)/)
    const broken = new Fault('file-corrupt', 'a broken file')
    const failing = rows(0, 3, () => Promise.reject(broken))
    await expect(session.load({ chain, from: 0, to: 3 }, failing)).rejects.toBe(broken)
    expect(await bench.idsInTable()).toEqual([])
    expect(await session.load({ chain, from: 0, to: 3 }, rows(0, 3))).toMatchObject({ outcome: 'loaded' })
    session.destroy()
  })

  test('who may insert and no more can load a table that is there; who may not is told so', async () => {
    ;(await bench.open()).destroy()
    const url = new URL(bench.proxy.urlFor(bench.subject.url))
    url.username = 'guest'
    const table = pg.escapeIdentifier(bench.table)
    await bench.admin.query(`CREATE ROLE guest LOGIN PASSWORD '${PASSWORD}'`)
    try {
      await bench.admin.query('GRANT SELECT, INSERT, UPDATE ON causeway_positions TO guest')
      const session = await bench.open({}, url.href)
      await session.positions([{ chain, start: 0 }])
      const denied = { code: 'warehouse-denied', retryable: false }
      await expect(session.load({ chain, from: 0, to: 3 }, rows(0, 3))).rejects.toMatchObject(denied)
      session.destroy()
      await bench.admin.query(`GRANT INSERT ON ${table} TO guest`)
      const allowed = await bench.open({}, url.href)
      expect(await allowed.load({ chain, from: 0, to: 3 }, rows(0, 3))).toMatchObject({ outcome: 'loaded' })
      expect(await bench.idsInTable()).toEqual(ids(0, 3))
      allowed.destroy()
      bench.table = `${bench.table} that is not there`
      await expect(bench.open({}, url.href)).rejects.toMatchObject(denied)
    } finally {
      await bench.admin.query('DROP OWNED BY guest; DROP ROLE guest')
    }
  })
}
