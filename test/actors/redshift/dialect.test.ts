import { expect, test } from 'vitest'
import { postgresDialect } from '../../../src/actors/redshift/dialect.ts'

test('every name is quoted, and a name that PostgreSQL would cut or refuse is a fault', () => {
  const columns = [{ name: 'a"; DROP TABLE x; --', type: 'string', nullable: false }] as const
  const dialect = postgresDialect('sch"ema', "t'able", columns)
  expect(dialect.createTable).toBe(
    `CREATE TABLE IF NOT EXISTS "sch""ema"."t'able" ("a""; DROP TABLE x; --" TEXT NOT NULL)`
  )
  expect(dialect.copyInto(['b"'])).toBe(`COPY "sch""ema"."t'able" ("b""") FROM STDIN`)
  expect(dialect.readPositions).toContain("target = 't''able'")
  expect(() => postgresDialect('public', 'é'.repeat(31), [])).not.toThrow()
  for (const name of ['', 'a\0', 'é'.repeat(32)]) {
    expect(() => postgresDialect('public', name, [])).toThrow(
      expect.objectContaining({ code: 'config-invalid' })
    )
  }
})
