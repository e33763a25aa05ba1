import { expect, test } from 'vitest'
import type { CopySource, WarehouseSession } from '../../../src/actors/redshift/session.ts'
import { type Bench, chain, ids, rows } from './bench.ts'

/** Several loaders, and others who change what a loader relies on. */
export function racing(bench: Bench): void {
  test('two loaders that race for one chain load each row once', async () => {
    const [left, right] = [await bench.open(), await bench.open()]
    const outcomes = { loaded: 0, moved: 0, busy: 0 }
    const race = async (session: WarehouseSession) => {
      for (let position = (await bench.positionIn(session)) ?? 0; position < 200; ) {
        const to = position + 10
        const result = await session.load({ chain, from: position, to }, rows(position, to))
        outcomes[result.outcome]++
        if (result.outcome === 'loaded') position = to
        else
          position = result.outcome === 'moved' ? result.position : ((await bench.positionIn(session)) ?? 0)
      }
    }
    await Promise.all([race(left), race(right)])
    expect(await bench.idsInTable()).toEqual(ids(0, 200))
    expect(outcomes.loaded).toBe(20)
    expect(outcomes.moved + outcomes.busy).toBeGreaterThan(0)
    for (const session of [left, right]) session.destroy()
  })

  test('a row that another session holds is busy at once, and its lock ends with an idle session', async () => {
    const holder = await bench.open({ idleTransactionMs: 150 })
    await holder.positions([{ chain, start: 0 }])
    const session = await bench.open()
    const held = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    const stuck = holder.load({ chain, from: 0, to: 1 }, stall(held.resolve, released.promise))
    await held.promise
    expect(await session.load({ chain, from: 0, to: 1 }, rows(0, 1))).toEqual({ outcome: 'busy' })
    await expect
      .poll(async () => (await session.load({ chain, from: 0, to: 1 }, rows(0, 1))).outcome, {
        timeout: 20_000,
        interval: 20
      })
      .toBe('loaded')
    released.resolve()
    await expect(stuck).rejects.toMatchObject({ retryable: true })
    expect(await bench.idsInTable()).toEqual(['0'])
    holder.destroy()
    session.destroy()
  })

  test('a loader that starts while another one adds the row of a chain takes the position as it stands there', async () => {
    const session = await bench.open()
    await bench.admin.query('BEGIN')
    const row = 'INSERT INTO causeway_positions (target, chain, next_offset) VALUES ($1, $2, 7)'
    await bench.admin.query(row, [bench.table, chain])
    // It has not seen the row, and waits for its transaction to add its own.
    const late = session.positions([{ chain, start: 0 }])
    const waiting = 'SELECT 1 FROM pg_locks WHERE NOT granted'
    await expect.poll(async () => (await bench.admin.query(waiting)).rowCount, { timeout: 20_000 }).toBe(1)
    await bench.admin.query('COMMIT')
    expect(await late).toEqual(new Map([[chain, 7]]))
    session.destroy()
  })

  test('a position that disappeared stops the loader instead of loading everything twice', async () => {
    const session = await bench.open()
    await session.positions([{ chain, start: 0 }])
    await bench.admin.query('DELETE FROM causeway_positions')
    await expect(session.load({ chain, from: 0, to: 3 }, rows(0, 3))).rejects.toMatchObject({
      code: 'warehouse-position-missing',
      retryable: false
    })
    session.destroy()
  })

  test('serializable transactions that conflict are retried whole, and each row is there once', async () => {
    // Positions are read by reading the whole table, as a planner may do that knows it to be small.
    const settings = [
      "default_transaction_isolation = 'serializable'",
      'enable_indexscan = off',
      'enable_bitmapscan = off'
    ]
    for (const setting of settings) await bench.admin.query(`ALTER DATABASE events SET ${setting}`)
    const other = 'demo.crucial/hybrid/id-g1/1'
    try {
      const [left, right] = [await bench.open(), await bench.open()]
      await left.positions([{ chain, start: 0 }])
      await right.positions([{ chain: other, start: 0 }])
      // While the left one is loading, the right one reads what the left one will write, writes what it has read, and
      // commits first: no order of the two explains that.
      const meanwhile = rows(0, 3, async () => {
        expect(await right.load({ chain: other, from: 0, to: 3 }, rows(100, 103))).toMatchObject({ rows: 3 })
      })
      await expect(left.load({ chain, from: 0, to: 3 }, meanwhile)).rejects.toMatchObject({
        code: 'warehouse-conflict',
        retryable: true
      })
      left.destroy()
      const again = await bench.open()
      expect(await bench.positionIn(again)).toBe(0)
      expect(await again.load({ chain, from: 0, to: 3 }, rows(0, 3))).toMatchObject({ outcome: 'loaded' })
      expect(await bench.positionIn(again, other)).toBe(3)
      expect(await bench.idsInTable()).toEqual([...ids(0, 3), ...ids(100, 103)])
      for (const session of [again, right]) session.destroy()
    } finally {
      await bench.admin.query('ALTER DATABASE events RESET ALL')
    }
  })
}

/** A source that waits inside the transaction. */
async function* stall(held: () => void, released: Promise<void>): AsyncGenerator<CopySource> {
  held()
  await released
  yield* rows(0, 1)
}
